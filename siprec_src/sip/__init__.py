"""SIP without I/O: parser and writer, transactions, dialogs, the user agent (RFC 3261 and its kin).

Where to look, from octets up; each knows only what stands before it:

- text: `limits`, `parameters`, `uri`, `headers` (with `fields`), `lines`, `message`, `reason`
- messages: `head`, `stream`, `parser` read them, `writer` writes them, `body` splits and joins multiparts
- words: `flow` (addresses), `vocabulary` (commands, events, effects), `settings`, `timers`
- one transaction: `transaction`, the four tables of RFC 3261 17 and RFC 6026
- what all share: `schedule`, `target` (where a request goes), `stack`
- a request of ours: `outgoing`, `outgoing_invite`; one of a peer: `reply`, `incoming`, `admission`
- a dialog: `dialog`, `offer_state`, `glare`, `reliable`, `accepted`, `session_timer`;
  `dialog_receiver` has the peer's direction, `dialog_usage` adds ours
- a call leg: `invite_usage`, as `client_usage` or `server_usage`
- the door: `user_agent`
"""
