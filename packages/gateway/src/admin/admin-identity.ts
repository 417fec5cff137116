import type { Role } from "@fairlead/contract/names";
import type { Actor } from "../keys/directory.ts";
import type { Session } from "../keys/directory-entities.ts";

/** Who calls the admin API. */
export interface AdminIdentity {
  readonly kind: "session" | "token" | "operator";
  /** Undefined for the operator's token. */
  readonly userId: string | undefined;
  readonly name: string;
  readonly role: Role;
  readonly session: Session | undefined;
  readonly actor: Actor;
}
