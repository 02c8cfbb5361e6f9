import { describe, expect, test } from "vitest";
import { decode, encode } from "../../src/protocol/cbor.ts";
import type { Bundle, OneTimePrekey } from "../../src/protocol/directory.ts";
import { agreementPublic, encapsulate } from "../../src/protocol/keys.ts";
import * as pqxdh from "../../src/protocol/pqxdh.ts";
import type { LastingSecret, OneTimeSecret } from "../../src/protocol/prekeys.ts";
import { hex, refusalOf, vectors } from "../vectors.ts";

interface Agreements {
  initiator: string;
  responder: string;
  bundle: string;
  lasting: string;
  one_time_secret: string;
  one_time_prekey: string;
  cases: {
    name: string;
    one_time: boolean;
    ephemeral_seed: string;
    kem_coins: string;
    kem_secret: string;
    initiation: string;
    agreed: string;
  }[];
}
const file = vectors<Agreements>("pqxdh");
const struct = <T>(cbor: string) => decode(hex(cbor)) as T;
const a = struct<pqxdh.OwnDevice>(file.initiator);
const b = struct<pqxdh.OwnDevice>(file.responder);
const bundle = struct<Bundle>(file.bundle);
const lasting = struct<LastingSecret>(file.lasting);
const secret = struct<OneTimeSecret>(file.one_time_secret);
const prekey = struct<OneTimePrekey>(file.one_time_prekey);

describe.each(file.cases)("$name", (one) => {
  const given = one.one_time ? prekey : null;
  const used: pqxdh.UsedSecrets = {
    prekey_id: lasting.prekey_id,
    prekey: lasting.prekey,
    one_time_id: one.one_time ? secret.id : 0,
    one_time: one.one_time ? secret.prekey : null,
    kem: one.one_time ? secret.kem : lasting.kem,
  };
  const kem = encapsulate(pqxdh.kemKey(bundle, given), hex(one.kem_coins));
  const ephemeral = hex(one.ephemeral_seed);
  const begin = (with_: Bundle) => pqxdh.initiate(a, pqxdh.partyOf(b), with_, given, ephemeral, kem);
  const answer = (key: Uint8Array) => pqxdh.respond(b, pqxdh.partyOf(a), used, key, kem.ciphertext);

  test("both ends", () => {
    expect(kem.secret).toEqual(hex(one.kem_secret));
    const agreed = begin(bundle);
    expect(encode(agreed)).toEqual(hex(one.agreed));
    const key = agreementPublic(ephemeral);
    expect(answer(key)).toEqual(agreed);
    const initiation = {
      ephemeral: key,
      prekey_id: used.prekey_id,
      one_time_id: used.one_time_id,
      kem_ciphertext: kem.ciphertext,
    };
    expect(encode(initiation)).toEqual(hex(one.initiation));
  });

  test("keys of low order are refused", () => {
    expect(refusalOf(() => begin({ ...bundle, prekey: new Uint8Array(32) }))).toBe("bad_bundle");
    expect(refusalOf(() => answer(new Uint8Array(32)))).toBe("bad_message");
  });

  test("whatever differs, the secrets do", () => {
    const key = agreementPublic(ephemeral);
    const root = answer(key).root;
    const differing = [
      pqxdh.respond(
        b,
        pqxdh.partyOf(a),
        { ...used, kem: lasting.kem.map((x) => x ^ 1) },
        key,
        kem.ciphertext,
      ),
      pqxdh.respond(b, pqxdh.partyOf(b), used, key, kem.ciphertext),
      pqxdh.respond(b, pqxdh.partyOf(a), { ...used, prekey: ephemeral }, key, kem.ciphertext),
    ];
    for (const other of differing) expect(other.root).not.toEqual(root);
    const bound = pqxdh.respond(b, pqxdh.partyOf(a), { ...used, prekey_id: 99 }, key, kem.ciphertext);
    expect(bound.associated).not.toEqual(answer(key).associated);
  });
});
