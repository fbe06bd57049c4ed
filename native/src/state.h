/* Whether what a process has left can be worked with: numbers within their bounds, truths that are
 * one of two. Pure. */
#ifndef RTPFORK_STATE_H
#define RTPFORK_STATE_H

#include "core_internal.h"

/* Anything but what names other things: these are checked where they are followed. */
bool state_port_is_sane(const struct port *port);
bool state_fork_is_sane(const struct fork *fork);

/* Whether a command was changing it, so that anything may be in it. */
bool state_is_torn(const bool *whole);

#endif
