import assert from "node:assert/strict";
import test from "node:test";
import { overwritten, plain, runs } from "../../static/js/log/ansi.js";

test("plain text is one run without classes", () => {
  assert.deepEqual(runs("Unpacking 容器 ✓"), [{ text: "Unpacking 容器 ✓", classes: "" }]);
});

test("colours and weights become classes until they are reset", () => {
  assert.deepEqual(runs("a\x1b[1;31mb\x1b[0mc"), [
    { text: "a", classes: "" },
    { text: "b", classes: "ansi-f1 ansi-bold" },
    { text: "c", classes: "" },
  ]);
  assert.deepEqual(runs("\x1b[92;44mx\x1b[39my\x1b[49mz"), [
    { text: "x", classes: "ansi-f10 ansi-b4" },
    { text: "y", classes: "ansi-b4" },
    { text: "z", classes: "" },
  ]);
  assert.deepEqual(runs("\x1b[2;3;4;7mx\x1b[22;23;24;27my"), [
    { text: "x", classes: "ansi-dim ansi-italic ansi-underline ansi-inverse" },
    { text: "y", classes: "" },
  ]);
});

test("an empty parameter list resets", () => {
  assert.equal(runs("\x1b[31mx\x1b[my").at(-1).classes, "");
});

test("256 colours become the nearest of the sixteen, true colour is dropped whole", () => {
  assert.equal(runs("\x1b[38;5;9mx")[0].classes, "ansi-f9");
  assert.equal(runs("\x1b[38;5;196mx")[0].classes, "ansi-f9");
  assert.equal(runs("\x1b[38;5;240mx")[0].classes, "ansi-f8");
  assert.deepEqual(runs("\x1b[38;2;1;31;4mx\x1b[1my"), [
    { text: "x", classes: "" },
    { text: "y", classes: "ansi-bold" },
  ]);
});

test("everything else that a terminal obeys is dropped", () => {
  const text = "a\x1b[2Kb\x1b[10;5Hc\x1b]0;title\x07d\x1b]8;;http://x\x1b\\e\x08f\x00g\x1b(h";
  assert.equal(runs(text).map((run) => run.text).join(""), "abcdefg(h");
  assert.equal(plain(text), "abcdefg(h");
});

test("markup stays text", () => {
  assert.deepEqual(runs("<script>alert(1)</script>"), [
    { text: "<script>alert(1)</script>", classes: "" },
  ]);
});

test("a sequence cut off at the end of a line leaves no mess", () => {
  assert.doesNotThrow(() => runs("ok\x1b["));
  assert.doesNotThrow(() => runs("ok\x1b[38;5m"));
});

test("carriage returns show what was written last", () => {
  assert.equal(overwritten("10%\r55%\r100%"), "100%");
  assert.equal(overwritten("100%\r"), "100%");
  assert.equal(overwritten("plain"), "plain");
  assert.equal(overwritten("\r\r"), "");
});
