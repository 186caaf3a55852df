// kinesis-local listens on every interface and has no setting for it: loaded before it, this keeps it to this machine.
const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (first, ...rest) {
  if (first === null || typeof first !== "object") {
    return listen.call(this, { port: first, host: "127.0.0.1" }, ...rest.filter((one) => typeof one === "function"));
  }
  return listen.call(this, { ...first, host: "127.0.0.1" }, ...rest);
};
