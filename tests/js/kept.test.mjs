import assert from "node:assert/strict";
import test from "node:test";
import { KeptLines } from "../../static/js/log/kept.js";

const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => ({ text: `line ${from + i}`, source: "a/b" }));
const texts = (kept) => Array.from({ length: kept.count }, (_, i) => kept.at(i).text);

test("lines are numbered as they come", () => {
  const kept = new KeptLines();
  assert.equal(kept.add(lines(1, 3)).fresh.length, 3);
  kept.add(lines(4, 4));
  assert.deepEqual([kept.seqAt(0), kept.seqAt(3), kept.indexOf(3)], [1, 4, 2]);
});

test("the oldest go once there are too many, and the rows that went are counted", () => {
  const kept = new KeptLines(100);
  assert.equal(kept.add(lines(1, 105)).gone, 0);
  assert.equal(kept.add(lines(106, 120)).gone, 20);
  assert.deepEqual([kept.count, kept.at(0).text, kept.seqAt(0), kept.dropped], [100, "line 21", 21, true]);
});

test("a search shows what passes, also of what comes later, colours or not", () => {
  const kept = new KeptLines(100);
  kept.add(lines(1, 20));
  kept.search("LINE 1");
  assert.equal(kept.count, 11);
  const { fresh } = kept.add([{ text: "\u001b[31mli\u001b[0mne 1 in red", source: "" }, ...lines(30, 31)]);
  assert.equal(fresh.length, 1);
  assert.equal(texts(kept).at(-1), "\u001b[31mli\u001b[0mne 1 in red");
  kept.search("");
  assert.equal(kept.count, 23);
});

test("what a search shows goes with the oldest, too", () => {
  const kept = new KeptLines(100);
  kept.add(lines(1, 100));
  kept.search("line 1");
  const { gone } = kept.add(lines(200, 299));
  assert.equal(gone, 12);
  assert.equal(kept.count, 0);
});
