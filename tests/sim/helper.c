// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * helper - the controller: client/ as it is, with a stand-in for the kernel,
 * none for the control socket, and a way to the target that needs no names.
 */
#include "tests/sim/helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/attachment.h"
#include "client/ctl.h"
#include "client/sysfs.h"
#include "client/target.h"
#include "tests/sim/device.h"
#include "tests/sim/driver.h"
#include "tests/sim/net.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim.h"

static struct attachment *attachment;
static bool attached, ended, detaching;
static struct sim_timer again;
static uint64_t excused;		/* until then */

/* ---- the way to the target ---------------------------------------------- */

struct target {
	struct target_config config;
	struct sim_timer timer;
	uint64_t deadline;
};

static void connect_now(void *arg)
{
	struct target *t = arg;
	const struct resolver_addr addr = { .len = 0 };
	struct failure f;

	if (net_reachable()) {
		t->config.connected(net_fd(net_connect()), &addr,
				    t->config.user);
	} else if (net_partitioned() && sim_now < t->deadline) {
		sim_timer_set(&t->timer, 100 * MS);
	} else {
		failure_set(&f, FAILURE_UNREACHABLE, "no way to the target");
		t->config.failed(&f, t->config.user);
	}
}

int target_new(struct target **tp, const struct target_config *config)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->config = *config;
	t->deadline = sim_now + config->timeout_ms * MS;
	sim_timer_init(&t->timer, connect_now, t);
	sim_timer_set(&t->timer, sim_delay(sim_weather.delay));
	*tp = t;
	return 0;
}

struct target *target_free(struct target *t)
{
	if (t)
		sim_timer_stop(&t->timer);
	free(t);
	return NULL;
}

/* ---- what there is not -------------------------------------------------- */

struct ctl {
	int none;
};

int ctl_new(struct ctl **ctlp, const struct ctl_config *config)
{
	static struct ctl ctl;

	*ctlp = &ctl;
	return 0;
}

unsigned int ctl_port(const struct ctl *ctl)
{
	return 0;
}

void ctl_detached(struct ctl *ctl, bool released)
{
}

struct ctl *ctl_free(struct ctl *ctl)
{
	return NULL;
}

bool sysfs_is_configured(const char *dir, const struct vhci_place *place,
			 const struct answer_descriptors *descriptors)
{
	return true;
}

const char *sysfs_missing(const char *dir, const struct vhci_place *place)
{
	return "nothing";
}

/* ---- life --------------------------------------------------------------- */

void helper_excuse(void)
{
	excused = sim_now + (2 * sim_weather.lease + 10) * S;
	oracle_excuse(excused);
}

static void tell_attached(const char *text, void *user)
{
	sim_note("helper: %s", text);
	attached = true;
}

static void tell_ended(const struct failure *why, void *user)
{
	sim_note("helper: ended: %s", why->text);
	ended = true;
	sim_check(!attached || detaching || sim_now < excused,
		  "a session ends for a reason", "%s", why->text);
	sim_timer_set(&again, sim_delay(2 * S));
}

static void begin(void)
{
	const struct attachment_config config = {
		.host = "target",
		.device = DEVICE_BUSID,
		.port = -1,
		.udp = sim_weather.datagrams,
		.timeout_ms = 15000,
		.isoc_ms = sim_weather.isoc_ms,
		.open = driver_open,
		.attached = tell_attached,
		.ended = tell_ended,
	};
	struct failure f;

	attached = ended = detaching = false;
	if (attachment_new(&attachment, &config, &f))
		abort();
}

static void begin_again(void *arg)
{
	attachment = attachment_free(attachment);
	if (!sim_calm)
		begin();
}

void helper_begin(void)
{
	excused = 0;
	sim_timer_init(&again, begin_again, NULL);
	begin();
}

void helper_finish(void)
{
	driver_finish();
}

bool helper_is_idle(void)
{
	return !attachment || ended || driver_is_done();
}

void helper_detach(void)
{
	detaching = true;
	if (attachment && !ended)
		attachment_detach(attachment, "it is over");
}

bool helper_is_gone(void)
{
	return !attachment;
}

void helper_end(void)
{
	attachment = attachment_free(attachment);
}
