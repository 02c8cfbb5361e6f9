/** Where one is: the place and, behind it, what is open there; kept in the address after `#`. */

/** The places of the rail, and the pages of the place "box". */
export const PLACES = ["messages", "channels", "boards", "people", "box", "account"] as const;
export const BOX_PAGES = ["home", "relay", "health", "settings"] as const;
export type Place = (typeof PLACES)[number];
export type BoxPage = (typeof BOX_PAGES)[number];

/** A secret that came in the address and is taken out of it at once. */
export interface Key {
  readonly kind: "claim" | "invite" | "link";
  readonly secret: string;
}

class Route {
  place = $state<Place>("messages");
  /** The page shown when the place is "box". */
  page = $state<BoxPage>("home");
  /** What is open in the place (a conversation, a person, a section); "" for none. */
  open = $state("");
  /** What stands behind that: a message to be shown, for example. */
  rest = $state("");
  key = $state.raw<Key | undefined>();

  /** Read the address and follow its changes. */
  start(): void {
    this.#read();
    window.addEventListener("hashchange", this.#read);
  }

  stop(): void {
    window.removeEventListener("hashchange", this.#read);
  }

  /** Follow a link that another device shows: only its key counts, whose page this is does not change. */
  take(address: string): boolean {
    const key = keyIn(decoded(address.trim().split("#")[1] ?? ""));
    if (key?.kind !== "link") return false;
    this.key = key;
    return true;
  }

  /** The key was used or refused: forget it. */
  spend(): void {
    this.key = undefined;
  }

  readonly #read = (): void => {
    const hash = decoded(location.hash.slice(1));
    const key = keyIn(hash);
    if (key) {
      this.key = key;
      // The whole address: a path that begins with two slashes alone would name another host.
      history.replaceState(null, "", location.href.replace(/#.*$/, ""));
      return;
    }
    const [first = "", open = "", ...rest] = hash.replace(/^\//, "").split("/");
    const page = BOX_PAGES.find((known) => known === first);
    this.place = page ? "box" : (PLACES.find((known) => known === first) ?? "messages");
    this.page = page ?? "home";
    this.open = open;
    this.rest = rest.join("/");
  };
}

function keyIn(hash: string): Key | undefined {
  const [, kind, secret] = /^(?:\/)?(claim|invite|link)[=/](.+)$/s.exec(hash) ?? [];
  if (!secret) return undefined;
  return { kind: kind as Key["kind"], secret };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** The link to a place or a page of the box, or to something in it. */
export function link(place: Place | BoxPage, open = "", rest = ""): string {
  const first = place === "box" ? "home" : place;
  return `#/${[first, open, rest].filter(Boolean).map(encodeURIComponent).join("/")}`;
}

/** Go there. */
export function go(place: Place | BoxPage, open = "", rest = ""): void {
  location.hash = link(place, open, rest);
}

export const route = new Route();
