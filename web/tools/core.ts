/** Everything of the protocol that a messenger uses, so that its size can be measured. */
export * as attachment from "../src/protocol/attachment.ts";
export * as backupCode from "../src/protocol/backupCode.ts";
export * as certificate from "../src/protocol/certificate.ts";
export * as content from "../src/protocol/content.ts";
export * as first from "../src/protocol/first.ts";
export * as link from "../src/protocol/link.ts";
export * as names from "../src/protocol/names.ts";
export * as peer from "../src/protocol/peer.ts";
export * as prekeys from "../src/protocol/prekeys.ts";
export * as record from "../src/protocol/record.ts";
export * as safety from "../src/protocol/safety.ts";
export * as signals from "../src/protocol/signals.ts";
export * as stretching from "../src/protocol/stretching.ts";
export * as transparency from "../src/protocol/transparency.ts";
export * as work from "../src/protocol/work.ts";
