/** Why a command could not do its work, told in one message without a stack. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
