/* Browsers start no workers from file: addresses. There the search runs in a hidden frame instead. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.documentElement.append(frame);
      const inside = frame.contentWindow;
      const tell = data => this.dispatchEvent(new MessageEvent("message", { data }));
      const waiting = [];
      const pass = data => inside.dispatchEvent(new inside.MessageEvent("message", { data }));
      inside.postMessage = data => setTimeout(tell, 0, data);
      inside.importScripts = () => Promise.resolve();
      this.postMessage = data => waiting.push(data);
      this.terminate = () => frame.remove();
      const script = inside.document.createElement("script");
      script.src = new URL(address, location.href).href;
      script.onload = () => {
        this.postMessage = data => setTimeout(pass, 0, data);
        waiting.forEach(this.postMessage);
      };
      inside.document.body.append(script);
    }
  };
}
