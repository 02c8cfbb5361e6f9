/** Logs on the wire: append-only lists of entries, numbered by their home box. As `appliance/protocol/log.py` has them. */

export const MAX_BODY = 80 * 1024;

export const MAX_PAGE = 256;

export const MAX_WATCHED = 256;

/** Who took an entry's body away; its number, kind and id stay. */
export type Removed = "author" | "moderator" | "expired";

/** One entry. `kind` is a number of the log's own kind of content; `until` the hour at which it ends by itself. */
export interface LogEntry {
  number: number;
  id: Uint8Array;
  kind: number;
  hour: number;
  body: Uint8Array | null;
  removed: Removed | null;
  until: number | null;
}

/** Entries by rising number. `first` and `last` are of the whole log; `more` lie beyond this page. */
export interface LogPage {
  log: Uint8Array;
  first: number;
  last: number;
  entries: LogEntry[];
  more: boolean;
}

/**
 * A log's highest number is `last`; `entries` are new or changed ones by rising number, when small.
 *
 * An entry the reader has already is replaced. Whoever lacks one below them reads the log from where it is.
 */
export interface LogNews {
  log: Uint8Array;
  last: number;
  entries?: LogEntry[] | null;
}

/** The logs that this sign-in wants to hear of from now on, beside those it always hears of. */
export interface WatchLogs {
  logs: Uint8Array[];
}
