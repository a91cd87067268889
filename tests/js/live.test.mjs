import assert from "node:assert/strict";
import test from "node:test";
import { address, Changes, Throttle } from "../../static/js/live.js";

function clock() {
  const timers = [];
  return {
    time: 1000,
    timers,
    wait: (call, ms) => timers.push({ call, ms }),
    run() {
      const { call, ms } = timers.shift();
      this.time += ms;
      call();
    },
  };
}

test("looks at once, then at most twice a second, and never loses the last change", () => {
  const at = clock();
  const looks = [];
  const throttle = new Throttle(() => looks.push(at.time), { now: () => at.time, wait: at.wait });
  throttle.ask();
  assert.deepEqual(looks, [1000]);
  at.time = 1100;
  throttle.ask();
  throttle.ask();
  assert.equal(at.timers.length, 1);
  at.run();
  assert.deepEqual(looks, [1000, 1500]);
  at.time = 9000;
  throttle.ask();
  assert.deepEqual(looks, [1000, 1500, 9000]);
});

function sockets() {
  const opened = [];
  return { opened, open: (url) => (opened.push({ url }), opened.at(-1)) };
}

test("every change and every new socket is a look; a cut socket is opened again, later and later", () => {
  const { opened, open } = sockets();
  const at = clock();
  let looks = 0;
  const changes = new Changes({ address: "ws://x/", look: () => looks++, open, wait: at.wait, random: () => 1 });
  changes.start();
  opened[0].onmessage({ data: '{"clusters": {"7": 12}}' });
  opened[0].onmessage({ data: '{"clusters": {"7": 13}}' });
  assert.equal(looks, 2);
  assert.equal(changes.known.get("7"), 13);
  opened[0].onclose({ code: 1006 });
  assert.equal(at.timers[0].ms, 500);
  at.run();
  opened[1].onclose({ code: 1006 });
  assert.equal(at.timers[0].ms, 1000);
  at.run();
  opened[2].onmessage({ data: '{"clusters": {}}' });
  assert.equal(looks, 3);
});

test("nonsense is no change", () => {
  const { opened, open } = sockets();
  let looks = 0;
  new Changes({ address: "ws://x/", look: () => looks++, open }).start();
  for (const data of ["", "{", "7", "null", '{"clusters": 7}', "[]"]) {
    try {
      opened[0].onmessage({ data });
    } catch {
      assert.fail(data);
    }
  }
  assert.equal(looks, 0);
});

test("who may no longer watch is not asked for again", () => {
  const { opened, open } = sockets();
  const at = clock();
  const changes = new Changes({ address: "ws://x/", look() {}, open, wait: at.wait });
  changes.start();
  opened[0].onclose({ code: 4403 });
  assert.equal(at.timers.length, 0);
  assert.ok(changes.ended);
});

test("the address is that of the page, for some clusters or all", () => {
  const place = { protocol: "https:", host: "flotilla.example:8443" };
  assert.equal(address("1,2", place), "wss://flotilla.example:8443/ws/clusters/changes/?clusters=1%2C2");
  assert.equal(address("all", { ...place, protocol: "http:" }), "ws://flotilla.example:8443/ws/clusters/changes/");
});
