/* Which ports only pass packets on, so that the I/O can do it by itself. */
#include "core_internal.h"

void core_touch(struct rtpfork_core *core, struct port *port)
{
	if (core->is_changed[port->slot])
		return;
	core->is_changed[port->slot] = true;
	core->changed[core->changed_count++] = port->slot;
}

void core_touch_both(struct rtpfork_core *core, struct port *port)
{
	core_touch(core, port);
	if (port->peer != NONE)
		core_touch(core, &core->ports[port->peer]);
}

bool rtpfork_core_changed(struct rtpfork_core *core, uint32_t *slot)
{
	if (core->changed_count == 0)
		return false;
	*slot = core->changed[--core->changed_count];
	core->is_changed[*slot] = false;
	return true;
}

/* The only source whose packets |port| takes; unknown: there may be others. */
static struct rtpfork_address only_source(const struct port *port)
{
	if (port->learn)
		return port->latched;
	return rtpfork_address_known(&port->remote) ? port->remote : port->latched_for;
}

bool rtpfork_core_flow(const struct rtpfork_core *core, uint32_t slot, struct rtpfork_flow *flow)
{
	const struct port *port = &core->ports[slot];
	if (!rtpfork_table_used(&core->port_ids, slot) || port->peer == NONE)
		return false;
	const struct port *peer = &core->ports[port->peer];
	if (port->raw || port->dtls || port->via_readers != NONE || port->receive.now ||
	    peer->raw || peer->send.now || peer->tone.what.sound)
		return false;
	*flow = (struct rtpfork_flow){
		.source = only_source(port),
		.from = peer->slot,
		.to = *core_rtp_target(peer),
		.keep = port->log && core_may_keep(core, port),
	};
	return rtpfork_address_known(&flow->source) && rtpfork_address_known(&flow->to);
}
