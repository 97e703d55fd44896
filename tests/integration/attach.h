/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.h - the whole helper but for the module, as the tests drive it: state
 * and functions of a test program; include it once.
 */
#ifndef USBIP_TESTS_ATTACH_H
#define USBIP_TESTS_ATTACH_H

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/attachment.h"
#include "common/log.h"
#include "tests/integration/kernel.h"
#include "tests/integration/proxy.h"
#include "tests/tap.h"

#define WAIT_MS	20000

/* How it is attached; a test that wants UDP defines it before. */
#ifndef ATTACH_UDP
#define ATTACH_UDP false
#endif

static struct event_base *base;
static uint16_t daemon_port;
static const char *daemon_host = "127.0.0.1";
static unsigned int timeout_ms = 10000;
static bool persist;
static char ctl_dir[] = "/tmp/usbip-ctl-XXXXXX";

/* What became of an attachment. */
static struct fate {
	bool attached, waits, ended;
	char text[512];
	struct failure why;
} fate;

static inline void on_attached(const char *text, void *user)
{
	fate.attached = true;
	snprintf(fate.text, sizeof(fate.text), "%s", text);
}

static inline void on_waits(const char *text, void *user)
{
	fate.waits = true;
	snprintf(fate.text, sizeof(fate.text), "%s", text);
}

static inline void on_ended(const struct failure *why, void *user)
{
	fate.ended = true;
	fate.why = *why;
}

static inline struct attachment *begin(const char *device, uint16_t port)
{
	const struct attachment_config config = {
		.base = base,
		.host = daemon_host,
		.device = device,
		.udp = ATTACH_UDP,
		.tcp_port = port,
		.port = -1,
		.timeout_ms = timeout_ms,
		.persist = persist,
		.ctl_dir = ctl_dir,
		.sysfs_dir = kernel_sysfs(),
		.open = kernel_open,
		.attached = on_attached,
		.waits = on_waits,
		.ended = on_ended,
	};
	struct attachment *a = NULL;
	struct failure f;

	memset(&fate, 0, sizeof(fate));
	if (attachment_new(&a, &config, &f))
		printf("# %s\n", f.text);
	return a;
}

static inline bool wait_for(const bool *what)
{
	for (int i = 0; i < WAIT_MS / 10 && !*what; i++)
		kernel_run(10);
	return *what;
}

static inline bool wait_plugged(void)
{
	for (int i = 0; i < WAIT_MS / 10 && !kernel_plugged() && !fate.ended; i++)
		kernel_run(10);
	return kernel_plugged();
}

/* Attached and configured, or NULL. */
static inline struct attachment *attach(const char *device, uint16_t port)
{
	struct attachment *a;

	kernel_begin(base);
	a = begin(device, port);
	if (a && wait_plugged() && kernel_enumerate() && wait_for(&fate.attached))
		return a;
	printf("# not attached: %s\n", fate.why.text);
	attachment_free(a);
	return NULL;
}

static inline void detach(struct attachment *a)
{
	if (!fate.ended)
		attachment_detach(a, "the test is done");
	wait_for(&fate.ended);
	attachment_free(a);
	kernel_end();
}

/* A control request to its end: the bytes, or -errno. */
static inline int request(const uint8_t *setup, void *data)
{
	const struct kernel_answer *a = kernel_wait(kernel_control(setup, data),
						    WAIT_MS);

	if (!a)
		return -ETIMEDOUT;
	if (a->status)
		return a->status;
	if (data && (setup[0] & USB_DIR_IN) && a->actual)
		memcpy(data, a->data, a->actual);
	return (int)a->actual;
}

/* The fake devices' own requests. */
static inline int inject(uint8_t what, uint8_t endpoint, uint16_t value)
{
	return request((const uint8_t[8]){ 0x40, what, value & 0xff,
		       (uint8_t)(value >> 8), endpoint, 0, 0, 0 }, NULL);
}

enum { FAULT = 0xe1, DELAY = 0xe2, UNPLUG = 0xe3 };
enum { STALL = 1, SHORT = 2, IO = 3, HANG = 5 };

static inline void begin_test(const char *port)
{
	daemon_port = (uint16_t)atoi(port);
	signal(SIGPIPE, SIG_IGN);
	if (getenv("DEBUG"))
		log_enable(getenv("DEBUG"));
	base = event_base_new();
	if (!base || !mkdtemp(ctl_dir))
		abort();
}

static inline void end_test(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/lock", ctl_dir);
	unlink(path);
	if (rmdir(ctl_dir))
		printf("# something is left in %s\n", ctl_dir);
	event_base_free(base);
}

#endif
