// What a chart is drawn from: a gap stays a gap, the whole range is shown, lines go through.
import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, columns, cores } from "../../static/js/charts.js";

const data = {
  start: 0,
  end: 100,
  times: [10, 40, 70],
  cpu: [0.5, null, 1.5],
  cpu_highest: [0.5, null, 1.5],
  memory: [1, 2, 3],
  memory_highest: [1, 4, 3],
  lines: {
    cpu: { request: 1, limit: null, allocatable: 4 },
    memory: { request: null, limit: null, allocatable: null },
  },
};

test("a chart shows its whole range, and a gap as a gap", () => {
  const { times, drawn } = columns(data, "cpu");
  assert.deepEqual(times, [0, 10, 40, 70, 100]);
  assert.deepEqual(drawn[0], { key: "used", values: [null, 0.5, null, 1.5, null] });
});

test("only the lines that there are, from end to end", () => {
  const { drawn } = columns(data, "cpu");
  assert.deepEqual(drawn.map((one) => one.key), ["used", "request", "allocatable"]);
  assert.deepEqual(drawn[1].values, [1, 1, 1, 1, 1]);
});

test("the highest is drawn where it says more than the mean", () => {
  assert.deepEqual(columns(data, "memory").drawn.map((one) => one.key), ["used", "highest"]);
});

test("figures read as the server writes them", () => {
  assert.equal(bytes(2 ** 31), "2 GiB");
  assert.equal(bytes(1536), "1.5 KiB");
  assert.equal(bytes(0), "0 B");
  assert.equal(cores(0.0353), "0.035 CPU");
  assert.equal(cores(12), "12 CPU");
  assert.equal(cores(0), "0 CPU");
});
