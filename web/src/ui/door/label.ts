/** A first name for this browser, as one would say it. */

const BROWSERS: readonly [RegExp, string][] = [
  [/Firefox\//, "Firefox"],
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Chrome\//, "Chromium"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS/, "macOS"],
  [/Linux|X11/, "Linux"],
];

/** "Firefox, Linux": what tells one's own browsers apart, no more than that. */
export function browserLabel(agent: string): string {
  const name = BROWSERS.find(([shape]) => shape.test(agent))?.[1];
  const system = SYSTEMS.find(([shape]) => shape.test(agent))?.[1];
  return [name ?? "Browser", system].filter(Boolean).join(", ");
}
