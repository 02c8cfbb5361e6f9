import { afterEach, expect, test } from "vitest";
import { FakeBox } from "./fake/box.ts";
import { Browser, closeAll, friends, until } from "./fake/people.ts";

afterEach(closeAll);

/** Ada with a second device, and Ben. */
async function three(box: FakeBox): Promise<[Browser, Browser, Browser]> {
  const [ada, ben] = await friends(box);
  const { url } = await ada.account.linkDevice();
  const phone = new Browser(box);
  await phone.account.signInByLink(url.slice(url.indexOf("#")), "Phone");
  await phone.ready();
  await ben.messenger.core!.people.refresh(ben.chat(ada)!.id);
  for (const one of [ada, phone]) {
    one.chat(ben)!.markRead();
    await until(() => one.chat(ben)!.unread === 0);
  }
  return [ada, phone, ben];
}

test("what was read on one device while the other was still saving it is not unread again", async () => {
  const box = new FakeBox();
  const [ada, phone, ben] = await three(box);
  ada.line.drop = (request) => request === "POST /v1/vault";
  await ben.chat(ada)!.send("one");
  await until(() => phone.chat(ben)!.unread === 1);
  await until(() => ada.messenger.phase === "offline");
  phone.chat(ben)!.markRead();
  await until(() => phone.chat(ben)!.unread === 0);
  ada.line.drop = () => false;
  await until(() => ada.texts(ben).includes("one"));
  expect(ada.chat(ben)!.unread).toBe(0);
  expect(phone.chat(ben)!.unread).toBe(0);
});
