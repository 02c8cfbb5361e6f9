/** A setting as text one can edit, and back: octets as megabytes, lists as lines. */
import type { Setting } from "../../../protocol/desk.ts";

const MIB = 1024 * 1024;

export type Kind = "switch" | "choice" | "number" | "lines" | "text";

/** How a setting is edited, from its default value. */
export function kindOf(setting: Setting): Kind {
  if (typeof setting.default === "boolean") return "switch";
  if (setting.choices) return "choice";
  if (typeof setting.default === "number") return "number";
  return Array.isArray(setting.default) ? "lines" : "text";
}

/** A value as the text of its field. */
export function shown(setting: Setting, value: unknown = setting.value): string {
  if (Array.isArray(value)) return value.join("\n");
  if (setting.unit === "bytes" && typeof value === "number") return String(round(value / MIB));
  return value === null || value === undefined ? "" : String(value);
}

/** The text of a field as a value; undefined when it is no number where one must be. */
export function parsed(setting: Setting, text: string): unknown {
  const kind = kindOf(setting);
  if (kind === "switch") return text === "true";
  if (kind === "lines")
    return text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  if (kind !== "number") return text.trim();
  const value = Number(text.trim().replace(",", "."));
  if (text.trim() === "" || !Number.isFinite(value)) return undefined;
  return Math.round(setting.unit === "bytes" ? value * MIB : value);
}

/** Whether `text` says something else than the setting has now. */
export function differs(setting: Setting, text: string): boolean {
  return text.trim() !== shown(setting).trim();
}

const GROUPS: readonly [group: string, names: RegExp][] = [
  ["tor", /^(tor|bridge|onion)/],
  ["look", /^(welcome|policy|accent|boards|channels)$/],
  ["order", /^(karma|posts_|filter|report|four_eyes|audit)/],
  ["members", /^(registration|accounts|kdf|member|dispatch|kept|event|vault|prekeys)/],
  ["relay", /^(relay_(policy|peers|only|octets)|ttl|contact|request|grant|work|sweep)/],
  ["delivery", /^(relays_wanted|outbox|collect)/],
  ["place", /^(data|listen)$/],
  ["limits", /(_seconds|connections|requests|operations|octets|nonces_kept)$/],
];

/** The settings in their groups, in the order of the box; unknown ones last. */
export function grouped(settings: readonly Setting[]): { group: string; settings: Setting[] }[] {
  const order = [...GROUPS.map(([group]) => group), "other"];
  const of = (name: string): string => GROUPS.find(([, names]) => names.test(name))?.[0] ?? "other";
  return order
    .map((group) => ({ group, settings: settings.filter((one) => of(one.name) === group) }))
    .filter((one) => one.settings.length > 0);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
