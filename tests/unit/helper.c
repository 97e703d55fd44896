// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the process of a helper tells its parent what became of it. Stands in
 * for attachment.c and cdev.c.
 */
#include "client/helper.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/attachment.h"
#include "client/cdev.h"
#include "tests/tap.h"

static enum fate {
	REFUSED,		/* never begun */
	FAILED,
	ATTACHED,
	WAITS,
	SIGNALLED,
	SILENT,			/* the loop ends, and nobody said anything */
	KILLED,
} fate;

struct attachment {
	struct attachment_config config;
	struct event *begin;
};

static char said[256];

static void end(struct attachment *a, enum failure_code code, const char *why)
{
	struct failure f;

	failure_set(&f, code, "%s", why);
	a->config.ended(&f, a->config.user);
}

static void begin(evutil_socket_t fd, short what, void *user)
{
	struct attachment *a = user;

	switch (fate) {
	case REFUSED:
		break;
	case FAILED:
		end(a, FAILURE_BUSY, "somebody has it");
		break;
	case ATTACHED:
		a->config.attached("attached it", a->config.user);
		end(a, FAILURE_NONE, "as asked");
		break;
	case WAITS:
		a->config.waits("waiting for it", a->config.user);
		end(a, FAILURE_NONE, "as asked");
		break;
	case SIGNALLED:
		raise(SIGTERM);
		break;
	case SILENT:
		event_base_loopbreak(a->config.base);
		break;
	case KILLED:
		raise(SIGKILL);
	}
}

int attachment_new(struct attachment **ap,
		   const struct attachment_config *config, struct failure *f)
{
	struct attachment *a = calloc(1, sizeof(*a));

	if (fate == REFUSED) {
		free(a);
		failure_set(f, FAILURE_MODULE, "no module");
		return -1;
	}
	a->config = *config;
	a->begin = evtimer_new(config->base, begin, a);
	event_active(a->begin, EV_TIMEOUT, 1);
	*ap = a;
	return 0;
}

struct attachment *attachment_free(struct attachment *a)
{
	event_free(a->begin);
	free(a);
	return NULL;
}

void attachment_detach(struct attachment *a, const char *why)
{
	end(a, FAILURE_OTHER, why);
}

int cdev_open(struct vhci **vp, const struct vhci_events *events,
	      struct failure *f)
{
	return -1;
}

static void on_attached(const char *text)
{
	snprintf(said, sizeof(said), "%s", text);
}

int main(void)
{
	static const struct {
		enum fate fate;
		enum failure_code code;
		const char *text;
	} cases[] = {
		{ REFUSED, FAILURE_MODULE, "no module" },
		{ FAILED, FAILURE_BUSY, "somebody has it" },
		{ SIGNALLED, FAILURE_OTHER, "Terminated" },
		{ SILENT, FAILURE_OTHER, "loop failed" },
		{ KILLED, FAILURE_OTHER, "without a word" },
	};
	struct helper_options options = {
		.host = "host",
		.device = "1-1",
		.timeout_s = 30,
		.attached = on_attached,
	};
	struct failure f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fate = cases[i].fate;
		memset(&f, 0, sizeof(f));
		ok(helper_run(&options, &f) == -1 && f.code == cases[i].code &&
		   strstr(f.text, cases[i].text) && !*said, "%d: %s",
		   f.code, f.text);
	}
	fate = ATTACHED;
	ok(!helper_run(&options, &f) && !strcmp(said, "attached it"), "%s",
	   said);
	fate = WAITS;
	ok(!helper_run(&options, &f) && !strcmp(said, "waiting for it"), "%s",
	   said);
	return tap_done();
}
