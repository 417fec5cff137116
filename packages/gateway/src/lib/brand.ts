declare const brand: unique symbol;

/** A value of type `T` that only the named constructor should make: two brands never mix by accident. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
