// The platform's Node library against a daemon: starts, stops, lists. Prints what it got as JSON.
// siprec.mjs LIBRARY BASE ACCOUNT TOKEN CALL
import { createRequire } from "node:module";

const [library, base, account, token, call] = process.argv.slice(2);
const twilio = createRequire(library)("twilio");

class ToDaemon extends twilio.RequestClient {
  request(options) {
    return super.request({ ...options, uri: options.uri.replace("https://api.twilio.com", base) });
  }
}

const client = twilio(account, token, { httpClient: new ToDaemon() });
const begun = await client.calls(call).siprec.create({
  name: "My SIPREC Stream + é",
  connectorName: "Gridspace1",
  track: "both_tracks",
  "parameter1.name": "Custom1",
  "parameter1.value": "Bob",
});
const stopped = await client.calls(call).siprec("My SIPREC Stream + é").update({ status: "stopped" });
const again = await client.calls(call).siprec(begun.sid).update({ status: "stopped" });
const fetched = await client.calls(call).fetch();
const listed = await client.calls.list({ status: "in-progress", pageSize: 1 });
const refused = await client.calls(call).siprec.create({ track: "inbound_track", connectorName: "none" }).then(
  () => null,
  (error) => ({ status: error.status, code: error.code, moreInfo: error.moreInfo }),
);
console.log(JSON.stringify({ begun, stopped, again, fetched, listed: listed.map((one) => one.sid), refused }));
