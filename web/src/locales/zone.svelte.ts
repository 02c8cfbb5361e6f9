/** The time zone in which the page shows times: the browser's, or one that was chosen for the account. */

class Zone {
  /** IANA name; undefined: the browser's own. What shows times is drawn anew when it changes. */
  name = $state<string>();

  /** Show times in this zone from now on; "" or what the browser does not know: in its own. */
  use(name: string): void {
    this.name = isZone(name) ? name : undefined;
  }
}

/** Whether the browser knows a zone of this name. */
export function isZone(name: string): boolean {
  if (name === "") return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The zone of this browser; Tor Browser says the same everywhere. */
export function browserZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

export const zone = new Zone();
