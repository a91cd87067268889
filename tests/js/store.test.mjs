import assert from "node:assert/strict";
import test from "node:test";
import { BLOCK, LogStore, matches, merge } from "../../static/js/log/store.js";

const line = (seq, more = {}) => ({ seq, host: "lab1", step: "etcd", text: `line ${seq}`, ...more });
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => line(from + i));

test("the live stream takes every line once and in order", () => {
  const store = new LogStore();
  assert.deepEqual(store.addLive(lines(1, 3)), { fresh: lines(1, 3), gap: false });
  assert.deepEqual(store.addLive(lines(2, 5)), { fresh: lines(4, 5), gap: false });
  assert.deepEqual(store.addLive(lines(1, 5)), { fresh: [], gap: false });
  assert.equal(store.live, 5);
  assert.equal(store.size, 5);
});

test("a hole in the stream is reported and nothing behind it is taken", () => {
  const store = new LogStore();
  store.addLive(lines(1, 3));
  const { fresh, gap } = store.addLive([line(4), line(6), line(7)]);
  assert.deepEqual([fresh.map((l) => l.seq), gap, store.live], [[4], true, 4]);
  assert.equal(store.get(6), undefined);
  assert.deepEqual(store.addLive(lines(5, 7)).fresh.map((l) => l.seq), [5, 6, 7]);
});

test("random reconnects lose, double and reorder nothing", () => {
  const store = new LogStore(1000);
  const seen = [];
  let random = 7;
  const next = () => (random = (random * 48271) % 2147483647);
  while (store.live < 20_000) {
    // Each connection begins a little before or after the right place and breaks at will.
    const from = Math.max(1, store.live + 1 + (next() % 41) - 20);
    const { fresh } = store.addLive(lines(from, Math.min(20_000, from + (next() % 300))));
    seen.push(...fresh.map((l) => l.seq));
  }
  assert.deepEqual(seen, lines(1, 20_000).map((l) => l.seq));
});

test("the tail of a long log is opened without what lies before it", () => {
  const store = new LogStore();
  store.jump(499_800);
  const { gap } = store.addLive(lines(499_801, 500_000));
  assert.equal(gap, false);
  assert.equal(store.last, 500_000);
  assert.equal(store.size, 200);
  assert.deepEqual(store.missing(1, 40), { from: 1, to: 40 });
  assert.equal(store.missing(499_801, 500_000), null);
});

test("missing names the first stretch that is not here", () => {
  const store = new LogStore();
  store.add(lines(1, 10));
  store.add(lines(21, 30));
  assert.deepEqual(store.missing(5, 28), { from: 11, to: 20 });
  assert.deepEqual(store.missing(5, 28, 4), { from: 11, to: 14 });
  assert.equal(store.missing(21, 99), null, "beyond the last line there is nothing to miss");
});

test("memory stays bounded, and what is in sight stays", () => {
  const store = new LogStore(4);
  for (let start = 1; start <= 20 * BLOCK; start += BLOCK) {
    store.add(lines(start, start + BLOCK - 1));
    store.trim(1, 40);
  }
  assert.ok(store.blocks.size <= 4);
  assert.ok(store.get(1));
  assert.equal(store.missing(1, 40), null);
});

test("a filter is host, step and text together", () => {
  const one = line(1, { host: "lab2", step: "pki", text: "Certificate Written" });
  assert.ok(matches(one, { host: "lab2", step: "pki", text: "written" }));
  assert.ok(!matches(one, { host: "lab1", step: "", text: "" }));
  assert.ok(!matches(one, { host: "", step: "etcd", text: "" }));
  assert.ok(matches(one, { host: "", step: "", text: "" }));
});

test("merged lines are ordered and not doubled", () => {
  const numbers = (list) => list.map((l) => l.seq);
  assert.deepEqual(numbers(merge([], lines(1, 2))), [1, 2]);
  assert.deepEqual(numbers(merge(lines(1, 2), lines(3, 4))), [1, 2, 3, 4]);
  assert.deepEqual(numbers(merge([line(2), line(9)], [line(1), line(2), line(5)])), [1, 2, 5, 9]);
});
