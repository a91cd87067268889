import assert from "node:assert/strict";
import test from "node:test";
import { ROW, topRow } from "../../static/js/log/view.js";

const view = 640;
const none = { scroll: 0, top: 0 };

test("a short list scrolls by pixels", () => {
  const count = 1000;
  const height = count * ROW;
  assert.equal(topRow({ scroll: 0, height, view, count, before: none }), 0);
  assert.equal(topRow({ scroll: 200, height, view, count, before: none }), 10);
  assert.equal(topRow({ scroll: height - view, height, view, count, before: none }), count - 32);
});

test("a list taller than browsers can lay out reaches its first and last row", () => {
  const count = 2_000_000;
  const height = 8_000_000;
  const top = (scroll, before = none) => topRow({ scroll, height, view, count, before });
  assert.equal(top(0), 0);
  assert.equal(top(height - view), count - 32);
  assert.ok(Math.abs(top((height - view) / 2) - count / 2) < 100);
});

test("and turning the wheel there moves it by single rows", () => {
  const count = 2_000_000;
  const before = { scroll: 4_000_000, top: 1_000_000 };
  const after = topRow({ scroll: 4_000_060, height: 8_000_000, view, count, before });
  assert.equal(after, 1_000_003);
});
