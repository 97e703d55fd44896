// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session_state - the states of a session, and which follows which.
 *
 *   NEW -> CONNECTING <-> CLAIMING -> UP <-> LOST -> RETURNING -> UP
 *   and RELEASING and ENDED from wherever it is.
 */
#include "client/session.h"

const char *session_state_str(enum session_state state)
{
	switch (state) {
	case SESSION_NEW:
		return "new";
	case SESSION_CONNECTING:
		return "connecting";
	case SESSION_CLAIMING:
		return "claiming";
	case SESSION_UP:
		return "up";
	case SESSION_LOST:
		return "connection lost";
	case SESSION_RETURNING:
		return "reconnecting";
	case SESSION_RELEASING:
		return "releasing";
	case SESSION_ENDED:
		return "ended";
	}
	return "?";
}

bool session_may_go(enum session_state from, enum session_state to)
{
	if (to == SESSION_ENDED)
		return from != SESSION_ENDED;
	if (to == SESSION_RELEASING)
		return from != SESSION_ENDED && from != SESSION_RELEASING;
	switch (from) {
	case SESSION_NEW:
		return to == SESSION_CONNECTING;
	case SESSION_CONNECTING:
		return to == SESSION_CLAIMING;
	case SESSION_CLAIMING:
		return to == SESSION_UP || to == SESSION_CONNECTING;
	case SESSION_UP:
		return to == SESSION_LOST;
	case SESSION_LOST:
		return to == SESSION_RETURNING;
	case SESSION_RETURNING:
		return to == SESSION_UP || to == SESSION_LOST;
	case SESSION_RELEASING:
	case SESSION_ENDED:
		break;
	}
	return false;
}
