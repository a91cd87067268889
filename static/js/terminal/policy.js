// xterm.js makes style elements and style attributes while it runs, of which the page's content
// security policy allows none. The policy stays as it is. On this page, style elements are made
// with the page's nonce, and spans set their style through the object model, which policies allow.
// (The library's option documentOverride reaches only some of the places.)

/** Make what xterm.js makes pass the policy of this document. */
export function keepPolicy(document, nonce) {
  const original = document.createElement;
  document.createElement = function createElement(name, ...more) {
    const element = original.call(this, name, ...more);
    if (name === "style") element.nonce = nonce;
    else if (name === "span") element.setAttribute = setAttribute;
    return element;
  };
}

function setAttribute(key, value) {
  if (key === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, key, value);
}
