import assert from "node:assert/strict";
import test from "node:test";
import { backOff } from "../../static/js/log/source.js";
import { clock, relative } from "../../static/js/times.js";

test("waits grow to fifteen seconds and differ between browsers", () => {
  assert.equal(backOff(0, () => 1), 500);
  assert.equal(backOff(0, () => 0), 250);
  assert.equal(backOff(3, () => 1), 4000);
  assert.equal(backOff(50, () => 1), 15_000);
});

test("relative times speak the page's language", () => {
  assert.equal(relative(185, "en"), "3 minutes ago");
  assert.equal(relative(-7300, "en"), "in 2 hours");
  assert.equal(relative(185, "zh-hans"), "3分钟前");
});

test("elapsed time ticks", () => {
  assert.equal(clock(5), "0:05");
  assert.equal(clock(3700), "1:01:40");
  assert.equal(clock(-3), "0:00");
});
