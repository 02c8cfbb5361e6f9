/** Every request of the owner's desk, one function each, typed as the box types them. */
import type * as Desk from "../protocol/desk.ts";
import { ask, type Options } from "./api.ts";

const at = encodeURIComponent;
const get = <T>(path: string, options?: Options): Promise<T> => ask<T>("GET", path, options);
const post = <T>(path: string, body: unknown = {}): Promise<T> => ask<T>("POST", path, { body });
const remove = (path: string): Promise<unknown> => ask("DELETE", path);

export const state = (after?: number, signal?: AbortSignal): Promise<Desk.State> =>
  get(after === undefined ? "/v1/state" : `/v1/state?after=${after}`, signal ? { signal } : {});

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
/** What the box forgot when it minimised last, and letting it do so now. */
export const minimised = (): Promise<Desk.Minimised> => get("/v1/minimise");
export const minimise = (): Promise<Desk.Minimised> => post("/v1/minimise");
export const settings = (): Promise<Desk.Settings> => get("/v1/settings");
export const changeSettings = (values: Record<string, unknown>): Promise<Desk.Settings> =>
  ask("PATCH", "/v1/settings", { body: { values } });
