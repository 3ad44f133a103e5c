// The search runs in a worker, and browsers start none from a file: on file:// a hidden frame takes its place.
// The theme looks for this name.
window.IFrameWorker = class extends EventTarget {
  constructor(url) {
    super();
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    document.body.append(this.frame);
    const inner = this.frame.contentWindow;
    const load = source => new Promise((done, failed) => {
      const script = inner.document.createElement("script");
      Object.assign(script, { src: source, async: false, onload: done, onerror: failed });
      inner.document.head.append(script);
    });
    inner.importScripts = (...sources) => sources.reduce((before, s) => before.then(() => load(s)), Promise.resolve());
    inner.postMessage = data => {
      const event = new MessageEvent("message", { data: structuredClone(data) });
      this.dispatchEvent(event);
      this.onmessage?.(event);
    };
    this.ready = load(new URL(url, location).href);
  }

  postMessage(data) {
    const message = { data: structuredClone(data) };
    this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", message)));
  }

  terminate() {
    this.frame.remove();
  }
};
if (location.protocol === "file:") window.Worker = window.IFrameWorker;
