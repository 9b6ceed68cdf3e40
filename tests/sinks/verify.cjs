// Verifies webhooks as a receiver in Node would. In: a JSON list on standard input, and the folder of node_modules as argument.
// Out: a JSON list, each member "ok" or why not. `secret` (whsec_) by the official library; `publicKey` (PEM) for v1a, which the
// library passes over, by Node's own crypto.
const { createRequire } = require("node:module");
const crypto = require("node:crypto");
const { Webhook } = createRequire(process.argv[2] + "/")("standardwebhooks");

function v1a({ publicKey, body, headers }) {
  const signed = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  const signatures = headers["webhook-signature"].split(" ").map((one) => one.split(","));
  const good = signatures.some(
    ([version, value]) => version === "v1a" && crypto.verify(null, signed, publicKey, Buffer.from(value, "base64")),
  );
  if (!good) throw new Error("no v1a signature of this key");
}

function verdict(one) {
  try {
    if (one.publicKey) v1a(one);
    else new Webhook(one.secret).verify(one.body, one.headers);
    return "ok";
  } catch (error) {
    return error.message;
  }
}

const webhooks = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(webhooks.map(verdict)));
