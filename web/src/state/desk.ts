/** Every request of the owner's desk, one function each, typed as the box types them. */
import type * as Desk from "../protocol/desk.ts";
import { ask, askText, type Options } from "./api.ts";

const at = encodeURIComponent;
const get = <T>(path: string, options?: Options): Promise<T> => ask<T>("GET", path, options);
const post = <T>(path: string, body: unknown = {}): Promise<T> => ask<T>("POST", path, { body });
const remove = (path: string, keepalive = false): Promise<unknown> => ask("DELETE", path, { keepalive });

export const state = (after?: number, signal?: AbortSignal): Promise<Desk.State> =>
  get(after === undefined ? "/v1/state" : `/v1/state?after=${after}`, signal ? { signal } : {});

export const signOut = (): Promise<unknown> => remove("/v1/session");
export const identity = (): Promise<Desk.Identity> => get("/v1/identity");
export const rename = (name: string): Promise<unknown> => post("/v1/name", { name });
export const protect = (authentication: string, protect: boolean): Promise<unknown> =>
  post("/v1/protection", { authentication, protect });

export const contacts = (): Promise<Desk.Contacts> => get("/v1/contacts");
export const previewCard = (text: string): Promise<Desk.CardPreview> => post("/v1/cards/preview", { text });
export const addContact = (contact: Desk.AddContact): Promise<Desk.Contact> => post("/v1/contacts", contact);
export const acceptContact = (address: string): Promise<unknown> =>
  post(`/v1/contacts/${at(address)}/accept`);
export const removeContact = (address: string, late = false): Promise<unknown> =>
  remove(`/v1/contacts/${at(address)}`, late);

export const outbox = (): Promise<Desk.Outbox> => get("/v1/outbox");
export const compose = (item: Desk.Compose): Promise<Desk.ItemId> => post("/v1/outbox", item);
export const upload = (id: string, offset: number, raw: Blob, signal: AbortSignal): Promise<Desk.Uploaded> =>
  ask("PUT", `/v1/outbox/${at(id)}/content?offset=${offset}`, { raw, signal });
export const retry = (id: string): Promise<unknown> => post(`/v1/outbox/${at(id)}/retry`);
export const cancel = (id: string): Promise<unknown> => remove(`/v1/outbox/${at(id)}`);

export const inbox = (): Promise<Desk.Inbox> => get("/v1/inbox");
export const contentPath = (id: string): string => `/v1/inbox/${at(id)}/content`;
export const noteText = (id: string): Promise<string> => askText(contentPath(id));
export const markSeen = (id: string): Promise<unknown> => post(`/v1/inbox/${at(id)}/seen`);
export const removeItem = (id: string, late = false): Promise<unknown> => remove(`/v1/inbox/${at(id)}`, late);

export const relayLoad = (): Promise<Desk.RelayLoad> => get("/v1/relay/load");
export const createGrant = (grant: Desk.NewGrant): Promise<Desk.GrantCode> => post("/v1/relay/grants", grant);
export const revokeGrant = (id: string): Promise<unknown> => remove(`/v1/relay/grants/${at(id)}`);
export const usedRelays = (): Promise<Desk.UsedRelays> => get("/v1/relays");
export const joinRelay = (code: string): Promise<Desk.UsedRelay> => post("/v1/relays", { code });
export const leaveRelay = (address: string): Promise<unknown> => remove(`/v1/relays/${at(address)}`);

export const readers = (): Promise<Desk.Readers> => get("/v1/readers");
export const addReader = (reader: Desk.NewReader): Promise<Desk.Reader> => post("/v1/readers", reader);
export const removeReader = (name: string): Promise<unknown> => remove(`/v1/readers/${at(name)}`);
export const readerKeys = (): Promise<Desk.ReaderKeys> => get("/v1/reader-keys");
export const addReaderKey = (key: Desk.NewReaderKey): Promise<unknown> => post("/v1/reader-keys", key);
export const removeReaderKey = (address: string): Promise<unknown> =>
  remove(`/v1/reader-keys/${at(address)}`);

export const health = (): Promise<Desk.Health> => get("/v1/health");
export const settings = (): Promise<Desk.Settings> => get("/v1/settings");
export const changeSettings = (values: Record<string, unknown>): Promise<Desk.Settings> =>
  ask("PATCH", "/v1/settings", { body: { values } });
