/** Where one is: the place and, behind it, what is open there; kept in the address after `#`. */

export const PLACES = ["home", "send", "inbox", "outbox", "people", "relay", "health", "settings"] as const;
export type Place = (typeof PLACES)[number];

/** A box that only relays shows these. */
export const RELAY_PLACES: readonly Place[] = ["home", "relay", "health", "settings"];

class Route {
  place = $state<Place>("home");
  /** What is open in the place (an item, a contact); "" for none. */
  open = $state("");
  /** The one-time token of `#claim=…`, taken out of the address at once. */
  claim = $state("");

  /** Read the address and follow its changes. */
  start(): void {
    this.#read();
    window.addEventListener("hashchange", this.#read);
  }

  stop(): void {
    window.removeEventListener("hashchange", this.#read);
  }

  readonly #read = (): void => {
    const hash = decoded(location.hash.slice(1));
    if (hash.startsWith("claim=")) {
      this.claim = hash.slice("claim=".length);
      history.replaceState(null, "", location.pathname);
      return;
    }
    const [place = "", ...open] = hash.replace(/^\//, "").split("/");
    this.place = PLACES.find((known) => known === place) ?? "home";
    this.open = open.join("/");
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** The link to a place, or to something in it. */
export function link(place: Place, open = ""): string {
  return open ? `#/${place}/${encodeURIComponent(open)}` : `#/${place}`;
}

/** Go there. */
export function go(place: Place, open = ""): void {
  location.hash = link(place, open);
}

export const route = new Route();
