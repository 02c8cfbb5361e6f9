/** Whom an account does not want to read on boards and in channels of its box: a record of the vault, so that nobody learns it. */

export interface IgnoredRecord {
  readonly v: 1;
  /** Members of the box, by name. */
  readonly names: readonly string[];
}

export const NOBODY: ReadonlySet<string> = new Set();
/** The earliest go when there are more. */
const MOST = 1000;

/** Ignore somebody from now on, or no more. */
export function withIgnored(
  record: IgnoredRecord | undefined,
  name: string,
  ignored: boolean,
): IgnoredRecord {
  const others = (record?.names ?? []).filter((one) => one !== name);
  return { v: 1, names: (ignored ? [...others, name] : others).slice(-MOST) };
}
