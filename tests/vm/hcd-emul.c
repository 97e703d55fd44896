// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-emul - attach the device of hcd-dev.c to the module, well behaved or
 * not. It prints "port BUS-PORT" when it has attached and, when it ends by
 * SIGTERM, what it has seen; exit status 1 if the module broke a promise or
 * data was wrong.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <linux/usbip_rpc.h>
#include "tests/vm/hcd-dev.h"

#define IN_SIZE		(4U << 20)	/* of the buffer for read() */
#define OUT_SIZE	(4U << 20)
#define HELD_MAX	4096

enum fault {
	FAULT_NONE,
	FAULT_MUTE,	/* never answer bulk, nor their UNLINKs */
	FAULT_HOLD,	/* answer bulk when unlinked only */
	FAULT_BAD,	/* a malformed answer before each right one */
	FAULT_STALL,	/* every 7th bulk URB ends with -EPROTO */
	FAULT_DIE,	/* exit after -n bulk URBs */
	FAULT_SINGLE,	/* one message per read and write: no fault, but slow */
};

static const char *const fault_names[] = {
	"none", "mute", "hold", "bad", "stall", "die", "single",
};

static const char *const speed_names[] = {
	"", "low", "full", "high", "super", "super+",
};

struct emul {
	int fd;
	struct hcd_dev dev;
	enum fault fault;
	unsigned int delay_ms;		/* before answers to bulk URBs */
	unsigned int limit;		/* FAULT_DIE */
	uint8_t *in;			/* messages from the kernel */
	uint8_t *out;			/* answers */
	size_t out_len;
	uint64_t held[HELD_MAX];	/* ids of SUBMITs not answered */
	unsigned int n_held;
	bool power;			/* wants to be told */
	bool suspended;
	unsigned int suspends, resumes;
	unsigned long submits, unlinks, broken;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

static unsigned int lookup(const char *const *names, unsigned int n,
			   const char *name)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	errx(2, "no such thing: %s", name);
}

static void flush_out(struct emul *e)
{
	size_t done = 0;

	while (done < e->out_len) {
		ssize_t n = write(e->fd, e->out + done, e->out_len - done);

		if (n < 0 && errno == ENOTCONN)
			break;
		if (n < 0)
			err(1, "write");
		done += n;
	}
	e->out_len = 0;
}

/* The kernel must refuse it, and leave the URB as it was. */
static void refuse(struct emul *e, struct usbip_rpc_complete c, size_t len)
{
	static uint8_t buf[sizeof(c) + 16384];
	ssize_t n;

	memcpy(buf, &c, sizeof(c));
	n = write(e->fd, buf, len);
	if (n != -1 || errno != EINVAL) {
		e->broken++;
		printf("# bad answer taken: len %u actual %u in %zu: %zd\n",
		       c.msg.len, c.actual, len, n);
	}
}

static void send_bad(struct emul *e, const struct usbip_rpc_submit *s)
{
	struct usbip_rpc_complete c = {
		.msg = { sizeof(c), USBIP_RPC_COMPLETE, 0, s->msg.id },
	};
	struct usbip_rpc_complete bad;

	bad = c, bad.actual = s->length + 1;
	refuse(e, bad, sizeof(bad));
	bad = c, bad.actual = 0xffffffff;
	refuse(e, bad, sizeof(bad));
	bad = c, bad.msg.len = sizeof(bad) + 8;
	refuse(e, bad, sizeof(bad) + 8);
	bad = c, bad.msg.len = 0xfffffff8;
	refuse(e, bad, sizeof(bad));
	bad = c, bad.msg.len = sizeof(bad) - 8;
	refuse(e, bad, sizeof(bad) - 8);
	bad = c, bad.msg.type = USBIP_RPC_SUBMIT;
	refuse(e, bad, sizeof(bad));
	bad = c, bad.msg.reserved = 1;
	refuse(e, bad, sizeof(bad));
	bad = c, bad.npackets = s->npackets + 1;
	bad.msg.len += bad.npackets * sizeof(struct usbip_rpc_packet);
	refuse(e, bad, bad.msg.len);
	bad = c, bad.error_count = 1;
	refuse(e, bad, sizeof(bad));
	bad = c, bad.start_frame = 1;
	refuse(e, bad, sizeof(bad));
	bad = c, bad.reserved = 1;
	refuse(e, bad, sizeof(bad));
	if (!(s->endpoint & 0x80) || s->length < 8)
		return;
	bad = c, bad.actual = 8; /* and the data is missing */
	refuse(e, bad, sizeof(bad));
}

/* Append an answer; its body is at e->out + e->out_len + sizeof(c) already */
static void answer(struct emul *e, uint64_t id, struct hcd_dev_end end)
{
	size_t len = (sizeof(struct usbip_rpc_complete) + end.body + 7) & ~7UL;
	struct usbip_rpc_complete c = {
		.msg = { len, USBIP_RPC_COMPLETE, 0, id },
		.status = end.status,
		.actual = end.actual,
		.npackets = end.npackets,
		.error_count = end.error_count,
	};
	uint8_t *p = e->out + e->out_len;

	memset(p + sizeof(c) + end.body, 0, len - sizeof(c) - end.body);
	memcpy(p, &c, sizeof(c));
	e->out_len += len;
	if (e->fault == FAULT_SINGLE ||
	    e->out_len + 2 * HCD_DEV_IN_MAX > OUT_SIZE)
		flush_out(e);
}

static void hold(struct emul *e, uint64_t id)
{
	if (e->n_held == HELD_MAX)
		errx(1, "too many URBs");
	e->held[e->n_held++] = id;
}

static void on_submit(struct emul *e, const struct usbip_rpc_submit *s)
{
	bool bulk = s->transfer == USBIP_RPC_BULK;
	const uint8_t *data = (const uint8_t *)(s + 1);
	struct hcd_dev_end end;

	if (bulk && (e->fault == FAULT_MUTE || e->fault == FAULT_HOLD)) {
		hold(e, s->msg.id);
		return;
	}
	if (bulk && e->fault == FAULT_DIE && e->submits >= e->limit)
		_exit(0);
	if (bulk)
		e->submits++;
	if (bulk && e->delay_ms)
		usleep(e->delay_ms * 1000);
	if (e->fault == FAULT_BAD)
		send_bad(e, s);
	end = hcd_dev_submit(&e->dev, s, data, e->out + e->out_len +
			     sizeof(struct usbip_rpc_complete));
	if (bulk && e->fault == FAULT_STALL && e->submits % 7 == 0)
		end = (struct hcd_dev_end){ .status = -EPROTO };
	answer(e, s->msg.id, end);
}

static void on_unlink(struct emul *e, uint64_t id)
{
	unsigned int i;

	e->unlinks++;
	for (i = 0; i < e->n_held && e->held[i] != id; i++)
		;
	if (i == e->n_held || e->fault == FAULT_MUTE)
		return;
	e->held[i] = e->held[--e->n_held];
	answer(e, id, (struct hcd_dev_end){ .status = -ECONNRESET });
}

static void on_power(struct emul *e, bool suspend)
{
	if (!e->power || e->suspended == suspend) {
		e->broken++;
		printf("# %s, not expected\n", suspend ? "SUSPEND" : "RESUME");
	}
	e->suspended = suspend;
	e->suspends += suspend;
	e->resumes += !suspend;
}

static void on_message(struct emul *e, const struct usbip_rpc_msg *m)
{
	switch (m->type) {
	case USBIP_RPC_SUBMIT:
		if (e->suspended) {
			e->broken++;
			printf("# SUBMIT while suspended\n");
		}
		on_submit(e, (const struct usbip_rpc_submit *)m);
		break;
	case USBIP_RPC_UNLINK:
		on_unlink(e, m->id);
		break;
	case USBIP_RPC_RESET:
		e->dev.resets++;
		e->dev.config = 0;
		answer(e, m->id, (struct hcd_dev_end){});
		break;
	case USBIP_RPC_ALLOC_STREAMS:
		answer(e, m->id, (struct hcd_dev_end){ .actual =
			((const struct usbip_rpc_streams *)m)->streams });
		break;
	case USBIP_RPC_FREE_STREAMS:
		answer(e, m->id, (struct hcd_dev_end){});
		break;
	case USBIP_RPC_SUSPEND:
	case USBIP_RPC_RESUME:
		on_power(e, m->type == USBIP_RPC_SUSPEND);
		answer(e, m->id, (struct hcd_dev_end){});
		break;
	default:
		e->broken++;
		printf("# message of type %u\n", m->type);
	}
}

/* Read once and answer. False: the device was unplugged by the kernel. */
static bool serve(struct emul *e)
{
	size_t size = IN_SIZE, at = 0;
	ssize_t n;

	if (e->fault == FAULT_SINGLE) {
		struct usbip_rpc_status st;

		if (ioctl(e->fd, USBIP_RPC_IOC_STATUS, &st))
			err(1, "STATUS");
		if (st.next_len)
			size = st.next_len;
	}
	n = read(e->fd, e->in, size);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n < 0 && errno == ENOTCONN)
		return false;
	if (n < 0)
		err(1, "read");
	while (at < (size_t)n) {
		const struct usbip_rpc_msg *m = (const void *)(e->in + at);

		if (m->len < sizeof(*m) || m->len % 8 || m->len > n - at ||
		    m->reserved || !m->id) {
			e->broken++;
			printf("# message of length %u in %zd\n", m->len, n);
			break;
		}
		on_message(e, m);
		at += m->len;
	}
	flush_out(e);
	return true;
}

static void attach(struct emul *e)
{
	struct usbip_rpc_hello hello = { .version = USBIP_RPC_ABI_VERSION };
	struct usbip_rpc_attach a = {
		.speed = e->dev.speed,
		.flags = e->power ? USBIP_RPC_ATTACH_POWER : 0,
	};

	e->fd = open("/dev/" USBIP_RPC_DEVICE, O_RDWR | O_CLOEXEC);
	if (e->fd < 0)
		err(1, "open");
	if (ioctl(e->fd, USBIP_RPC_IOC_HELLO, &hello))
		err(1, "HELLO");
	if (ioctl(e->fd, USBIP_RPC_IOC_ATTACH, &a))
		err(1, "ATTACH");
	printf("port %u-%u\n", a.busnum, a.hubport);
	fflush(stdout);
}

static void parse(struct emul *e, int argc, char **argv)
{
	int c;

	e->dev.speed = USBIP_RPC_SPEED_HIGH;
	while ((c = getopt(argc, argv, "s:f:d:n:mp")) != -1) {
		switch (c) {
		case 's':
			e->dev.speed = lookup(speed_names, 6, optarg);
			break;
		case 'f':
			e->fault = lookup(fault_names, 7, optarg);
			break;
		case 'd':
			e->delay_ms = atoi(optarg);
			break;
		case 'n':
			e->limit = atoi(optarg);
			break;
		case 'm':
			e->dev.mod63 = true;
			break;
		case 'p':
			e->power = true;
			break;
		default:
			errx(2, "usage: hcd-emul [-s SPEED] [-f FAULT] [-d MS] [-n URBS] [-m] [-p]");
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	static struct emul e;

	parse(&e, argc, argv);
	e.in = malloc(IN_SIZE);
	e.out = malloc(OUT_SIZE);
	if (!e.in || !e.out)
		err(1, "malloc");
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	attach(&e);
	while (!stop && serve(&e))
		;
	printf("submits %lu unlinks %lu resets %u held %u bad-data %u broken %lu\n",
	       e.submits, e.unlinks, e.dev.resets, e.n_held, e.dev.bad_data,
	       e.broken);
	printf("suspends %u resumes %u\n", e.suspends, e.resumes);
	return e.broken || e.dev.bad_data;
}
