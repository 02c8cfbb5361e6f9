/** The one error of the protocol: a code of the box's table of refusals. Whoever catches it has unchanged state. */

/** The codes this folder refuses with; each stands in `appliance/errors.py`. */
export type Code =
  | "bad_address"
  | "bad_answer"
  | "bad_bundle"
  | "bad_entry"
  | "bad_log"
  | "bad_message"
  | "bad_post"
  | "bad_roster"
  | "bad_setting"
  | "channel_full"
  | "malformed"
  | "not_opened"
  | "not_member"
  | "old_entry"
  | "old_roster"
  | "out_of_step"
  | "repeated"
  | "signature"
  | "too_large"
  | "too_many"
  | "unknown_version"
  | "wrong_size"
  | "wrong_state";

/** What the protocol refuses to read or to make. It carries no secret and nothing that was sent. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(readonly code: Code) {
    super(code);
  }
}

/** The result of `make`, any error of it turned into a refusal with `code`; a newer version stays one. */
export function refusing<T>(code: Code, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof Refusal && error.code === "unknown_version") throw error;
    throw new Refusal(code);
  }
}
