/** Who appears in what TypeScript makes for Python to check: drawn from labels, others than Python's own. */
import { toHex } from "../../../src/protocol/bytes.ts";
import { encode } from "../../../src/protocol/cbor.ts";
import { makeCertificate } from "../../../src/protocol/certificate.ts";
import type { Device } from "../../../src/protocol/directory.ts";
import { agreementPublic, signingPublic } from "../../../src/protocol/keys.ts";
import { bundleOf, makeLasting, makeOneTime } from "../../../src/protocol/prekeys.ts";
import { drawn, seed } from "../../vectors.ts";

export const HOUR = 499_321;

/** Bytes of a label of this side. */
export function own(label: string, size = 32): Uint8Array {
  return seed(`typescript ${label}`, size);
}

/** Deterministic CBOR in hex. */
export function cbor(value: unknown): string {
  return toHex(encode(value));
}

export const BOX_SEED = own("box");
export const ONION = signingPublic(BOX_SEED);
export const ROUTES = [0, 1].map((at) => ({
  onion: signingPublic(own(`relay ${at}`)),
  mailbox: own(`mailbox ${at}`, 20),
  capability: own(`capability ${at}`),
}));

/** An account with one device. */
export function person(name: string, prekeyId: number) {
  const identitySeed = own(`${name} identity`);
  const signingSeed = own(`${name} signing`);
  const identity = signingPublic(identitySeed);
  const id = own(`${name} device`, 16);
  const agreement = own(`${name} agreement`);
  const device: Device = {
    device: id,
    signing: signingPublic(signingSeed),
    agreement: agreementPublic(agreement),
    added_hour: HOUR - 3,
  };
  const lasting = makeLasting(prekeyId, prekeyId + 100, HOUR, drawn(own(`${name} lasting`, 96)));
  const bundle = bundleOf(identity, id, lasting, ROUTES, HOUR);
  const about = {
    name,
    onion: ONION,
    device: id,
    agreement: device.agreement,
    issued_hour: HOUR,
    expires_hour: HOUR + 100,
  };
  return {
    name,
    identitySeed,
    signingSeed,
    identity,
    device,
    lasting,
    bundle,
    about,
    own: { identity, device: id, agreement },
    certificate: makeCertificate(identitySeed, about),
    oneTime: (number: number) =>
      makeOneTime(id, signingSeed, number, drawn(own(`${name} one-time ${number}`, 96))),
  };
}

export const A = person("ann", 5);
export const B = person("ben.k_9-x", 4_294_967_195);
