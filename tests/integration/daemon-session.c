// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sessions over the wire: usbip-rpcd with fake devices; who gets what, and
 * how it ends.
 */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

#define UNPLUG 0xe3

static struct caller_daemon d;

static void list_begin(struct caller *c, struct caller_call *call,
		       uint64_t cookie, unsigned int count)
{
	usbip_list_args args = { cookie, count };

	caller_begin(c, call);
	usbip_list_1(&args, &call->res.list, rpcclnt_handle(c->clnt));
}

static void list(struct caller *c, struct caller_call *call, uint64_t cookie,
		 unsigned int count)
{
	list_begin(c, call, cookie, count);
	caller_wait(call);
}

static void list_end(struct caller_call *call)
{
	caller_end(call, (xdrproc_t)xdr_usbip_list_res);
}

static usbip_list_ok *listed(struct caller_call *call)
{
	return &call->res.list.usbip_list_res_u.list;
}

/* What LIST says of a device: its state, or -1. by, serial: 64 bytes or NULL */
static int state_of(struct caller *c, const char *busid, char *by, char *serial)
{
	struct caller_call call;
	int state = -1;

	list(c, &call, 0, 0);
	for (u_int i = 0; i < listed(&call)->devices.devices_len; i++) {
		usbip_device *dev = &listed(&call)->devices.devices_val[i];

		if (strcmp(dev->busid, busid))
			continue;
		state = dev->state;
		if (by)
			snprintf(by, 64, "%s", dev->claimed_by);
		if (serial)
			snprintf(serial, 64, "%s", dev->serial);
	}
	list_end(&call);
	return state;
}

static void test_list(struct caller *c)
{
	struct caller_call call;
	uint64_t cookie = 0;
	unsigned int n = 0, calls = 0;
	char serial[64];
	bool eof;

	list(c, &call, 0, 0);
	ok(call.res.list.status == USBIP_OK && listed(&call)->eof &&
	   listed(&call)->devices.devices_len == 7, "LIST has seven devices");
	ok(listed(&call)->devices.devices_val[0].vendor == 0x46f4 &&
	   listed(&call)->devices.devices_val[0].interfaces.interfaces_len == 1 &&
	   listed(&call)->devices.devices_val[0].interfaces.interfaces_val[0].class_code == 0x080650,
	   "the first is a disk");
	list_end(&call);
	do {
		list(c, &call, cookie, 2);
		n += listed(&call)->devices.devices_len;
		cookie = listed(&call)->cookie;
		eof = listed(&call)->eof;
		list_end(&call);
		calls++;
	} while (!eof && calls < 10);
	ok(n == 7 && calls == 4, "and two at a time, in four calls");
	ok(state_of(c, "1-1", NULL, serial) == USBIP_STATE_AVAILABLE &&
	   !strcmp(serial, "FAKE0001"), "available, with its serial");
	ok(state_of(c, "2-2", NULL, serial) == USBIP_STATE_NOT_EXPORTED &&
	   !*serial, "not exported, without");
}

/* ---- claims ------------------------------------------------------------- */

static void test_names(struct caller *c)
{
	struct caller_call call;
	usbip_claim_res *res = &call.res.claim;

	ok(caller_claim(c, "9-9", 1, NULL) == USBIP_NO_DEVICE, "no such device");
	ok(caller_claim(c, "1234:5678", 1, NULL) == USBIP_NO_DEVICE, "no such id");
	ok(caller_claim(c, "", 1, NULL) == USBIP_INVAL, "no name");
	ok(caller_claim(c, "2-2", 1, NULL) == USBIP_NO_PERMISSION,
	   "not exported: NO_PERMISSION");
	ok(caller_daemon_says(&d, "was refused 2-2"), "and the log has it");
	ok(caller_claim(c, "46f4:0002", 1, NULL) == USBIP_NO_PERMISSION,
	   "nor by its id");
	ok(caller_claim(c, "0525:a4a0", 1, &call) == USBIP_AMBIGUOUS &&
	   res->usbip_claim_res_u.candidates.candidates_len == 2 &&
	   !strcmp(res->usbip_claim_res_u.candidates.candidates_val[1], "1-3"),
	   "two are alike: AMBIGUOUS, with both");
	caller_end(&call, (xdrproc_t)xdr_usbip_claim_res);
	ok(caller_claim(c, "0525:A4A0/ZERO-B", 1, &call) == USBIP_OK &&
	   !strcmp(res->usbip_claim_res_u.claim.busid, "1-3"),
	   "the serial tells them apart");
	caller_end(&call, (xdrproc_t)xdr_usbip_claim_res);
	ok(caller_release(c) == USBIP_OK, "RELEASE");
	ok(caller_release(c) == USBIP_RELEASED, "again: RELEASED");
	ok(caller_renew(c, 0, 0) == USBIP_RELEASED, "RENEW: RELEASED");
	c->session = 77;
	ok(caller_renew(c, 0, 0) == USBIP_NO_SESSION, "any number: NO_SESSION");
}

static void test_claim(struct caller *c, struct caller *other)
{
	struct caller_call call;
	usbip_claim_ok *got = &call.res.claim.usbip_claim_res_u.claim;
	uint64_t session;
	char by[64];

	ok(caller_claim(c, "2-1", 5, &call) == USBIP_OK &&
	   got->speed == USBIP_SPEED_SUPER && got->configuration == 3 &&
	   got->configs.configs_len == 2 && got->bos.usbip_descriptor_len == 22 &&
	   got->lease == 30 && got->window_urbs && got->window_bytes &&
	   got->data_max == USBIP_DATA_MAX && got->session,
	   "CLAIM brings what the controller needs");
	caller_end(&call, (xdrproc_t)xdr_usbip_claim_res);
	session = c->session;
	ok(state_of(other, "2-1", by, NULL) == USBIP_STATE_CLAIMED &&
	   !strcmp(by, "test (127.0.0.1)"), "LIST says who has it: %s", by);
	ok(caller_claim(other, "2-1", 6, &call) == USBIP_BUSY &&
	   !strcmp(call.res.claim.usbip_claim_res_u.holder.host,
		   "test (127.0.0.1)"), "somebody else: BUSY, and by whom");
	caller_end(&call, (xdrproc_t)xdr_usbip_claim_res);
	ok(caller_claim(other, "2-1", 5, NULL) == USBIP_OK &&
	   other->session == session, "the same instance: the same session");
	caller_run(c, 5000, &c->closed);
	ok(c->closed, "which has one connection: the one before is closed");
	caller_close(c);
	caller_open(c, "127.0.0.1", d.port);
	c->session = session;
	ok(caller_claim(other, "1-5", 5, NULL) == USBIP_OK &&
	   other->session != session,
	   "another device, the same instance: another session");
	ok(caller_release(other) == USBIP_OK && caller_release(c) == USBIP_OK,
	   "both are given back");
	ok(state_of(c, "2-1", NULL, NULL) == USBIP_STATE_AVAILABLE,
	   "and available");
}

/* ---- events ------------------------------------------------------------- */

struct watch {
	usbip_boot boot;
	uint64_t after;
};

static void watch_begin(struct caller *c, struct watch *w)
{
	struct caller_call call;

	list(c, &call, 0, 0);
	memcpy(w->boot, listed(&call)->boot, sizeof(w->boot));
	w->after = listed(&call)->event;
	list_end(&call);
}

static void events(struct caller *c, struct caller_call *call, struct watch *w,
		   uint64_t session, unsigned int wait)
{
	usbip_events_args args = { .after = w->after, .session = session,
				   .wait = wait };

	memcpy(args.boot, w->boot, sizeof(args.boot));
	caller_begin(c, call);
	usbip_events_1(&args, &call->res.events, rpcclnt_handle(c->clnt));
}

/* The types of what came, as text; "" none; "?" the call failed. */
static void told(struct caller_call *call, struct watch *w, char *text)
{
	static const char *const names[] = { "?", "arrived", "left", "changed",
					     "re-enumerated", "lost",
					     "session" };
	usbip_events_ok *got = &call->res.events.usbip_events_res_u.events;

	strcpy(text, "?");
	if (caller_wait(call) || call->res.events.status)
		return;
	*text = 0;
	for (u_int i = 0; i < got->events.events_len; i++)
		sprintf(text + strlen(text), "%s%s %s/%d", i ? ", " : "",
			names[got->events.events_val[i].type],
			got->events.events_val[i].busid,
			got->events.events_val[i].why);
	w->after = got->last;
	caller_end(call, (xdrproc_t)xdr_usbip_events_res);
}

static void test_events(struct caller *c, struct caller *other)
{
	struct caller_call call;
	char text[1024];
	struct watch w;

	watch_begin(other, &w);
	events(other, &call, &w, 0, 0);
	told(&call, &w, text);
	ok(!*text, "no event, no wait");
	events(other, &call, &w, 0, 5);
	caller_run(other, 50, NULL);
	ok(!call.done, "EVENTS waits");
	caller_claim(c, "1-4", 9, NULL);
	told(&call, &w, text);
	ok(!strcmp(text, "changed 1-4/0"), "and tells of a claim: %s", text);
	w.after += 1000;
	events(other, &call, &w, 0, 5);
	told(&call, &w, text);
	ok(!strcmp(text, "lost /0"), "what can not be known is LOST");
	memset(w.boot, 0, sizeof(w.boot));
	events(other, &call, &w, 0, 5);
	told(&call, &w, text);
	ok(!strcmp(text, "lost /0"), "numbers of another boot are LOST");
	caller_release(c);
	events(c, &call, &w, c->session, 5);
	told(&call, &w, text);
	ok(!strcmp(text, "session /12"), "an ended session says how: %s", text);
}

/* A connection from 127.0.0.`host` that has made one call. */
static int call_from(unsigned int host, uint32_t proc, xdrproc_t xdr,
		     void *args)
{
	uint32_t call[64] = {
		0, htonl(1), htonl(CALL), htonl(2), htonl(USBIP_PROGRAM),
		htonl(USBIP_V1), htonl(proc),
	};
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	XDR xdrs;
	ssize_t len;

	xdrmem_create(&xdrs, (char *)(call + 11), sizeof(call) - 44,
		      XDR_ENCODE);
	if (!xdr(&xdrs, args) || bind(fd, (struct sockaddr *)&sin, sizeof(sin)))
		abort();
	len = 44 + xdr_getpos(&xdrs);
	call[0] = htonl(0x80000000 | (len - 4));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(d.port);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) ||
	    send(fd, call, len, 0) != len)
		abort();
	return fd;
}

/* Strangers wait as much as they may; who has a session waits all the same. */
static void test_crowd(struct caller *c)
{
	static struct caller crowd[5];
	static struct caller_call calls[5][32], call, again;
	struct pollfd elsewhere = { .events = POLLIN };
	usbip_events_args args = { .wait = 60 };
	char text[1024];
	struct watch w;

	caller_claim(c, "1-4", 10, NULL);
	watch_begin(c, &w);
	for (int i = 0; i < 5; i++) {
		caller_open(&crowd[i], "127.0.0.1", d.port);
		for (int n = 0; n < 32; n++)
			events(&crowd[i], &calls[i][n], &w, 0, 60);
		caller_run(&crowd[i], 20, NULL);
	}
	caller_run(&crowd[4], 2000, &calls[4][31].done);
	ok(calls[4][31].done && calls[4][31].res.events.status == USBIP_DELAY,
	   "too many of a host wait for EVENTS: DELAY");
	memcpy(args.boot, w.boot, sizeof(args.boot));
	args.after = w.after;
	elsewhere.fd = call_from(99, USBIP_EVENTS,
				 (xdrproc_t)xdr_usbip_events_args, &args);
	ok(!poll(&elsewhere, 1, 200), "one of another may wait");
	events(c, &call, &w, c->session, 60);
	caller_run(c, 100, NULL);
	ok(!call.done, "and who waits for its session's");
	events(c, &again, &w, c->session, 60);
	told(&call, &w, text);
	ok(!*text && !again.done, "which waits once: the newer call takes over");
	for (int i = 0; i < 5; i++)
		caller_close(&crowd[i]);
	caller_release(c);
	told(&again, &w, text);
	ok(strstr(text, "session 1-4/12"), "and is told of the end: %s", text);
	ok(poll(&elsewhere, 1, 5000) == 1 &&
	   read(elsewhere.fd, text, sizeof(text)) > 48,
	   "the other, too, of the device");
	close(elsewhere.fd);
}

/* ---- unplug ------------------------------------------------------------- */

static void test_unplug(struct caller *c, struct caller *other)
{
	struct caller_call in, own, all;
	struct watch w, w2;
	char text[1024];
	int xfer;

	ok(caller_claim(c, "1-4", 11, NULL) == USBIP_OK, "CLAIM of a keyboard");
	watch_begin(c, &w);
	w2 = w;
	caller_submit_interrupt(c, &in, 0x81, 8, 0);
	events(c, &own, &w, c->session, 10);
	events(other, &all, &w2, 0, 10);
	caller_tell(c, UNPLUG, 50, 300);
	ok(caller_result(&in, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_SHUTDOWN, "unplugged: what runs is SHUTDOWN");
	told(&own, &w, text);
	ok(!strcmp(text, "left 1-4/0") || !strcmp(text, "session 1-4/10") ||
	   !strcmp(text, "left 1-4/0, session 1-4/10"), "its session is told: %s",
	   text);
	told(&all, &w2, text);
	ok(!strcmp(text, "left 1-4/0"), "and everybody: %s", text);
	ok(caller_renew(c, 0, 0) == USBIP_GONE, "the session is GONE");
	events(other, &all, &w2, 0, 5);
	told(&all, &w2, text);
	ok(!strcmp(text, "arrived 1-4/0"), "plugged in again: %s", text);
	ok(caller_renew(c, 0, 0) == USBIP_GONE, "the old session stays GONE");
	memset(c->numbers, 0, sizeof(c->numbers));
	memset(c->acked, 0, sizeof(c->acked));
	ok(caller_claim(c, "1-4", 12, NULL) == USBIP_OK &&
	   caller_release(c) == USBIP_OK, "a new one can be had");
}

/* ---- the exports file --------------------------------------------------- */

static void test_reload(struct caller *c, struct caller *other)
{
	int xfer;

	memset(c->numbers, 0, sizeof(c->numbers));
	memset(c->acked, 0, sizeof(c->acked));
	ok(caller_claim(c, "1-2", 20, NULL) == USBIP_OK, "CLAIM");
	caller_daemon_write(&d, "exports", "1-1 *\nnonsense *\n");
	kill(d.pid, SIGHUP);
	ok(caller_daemon_says(&d, "exports:2: ") &&
	   caller_daemon_says(&d, "what was exported before still is"),
	   "SIGHUP with an error says where");
	ok(state_of(other, "1-3", NULL, NULL) == USBIP_STATE_AVAILABLE,
	   "and changes nothing");
	caller_daemon_write(&d, "exports", "1-1 127.0.0.0/8\n");
	kill(d.pid, SIGHUP);
	ok(caller_daemon_says(&d, "read again, 1 lines"), "SIGHUP");
	ok(state_of(other, "1-3", NULL, NULL) == USBIP_STATE_NOT_EXPORTED &&
	   caller_claim(other, "1-3", 21, NULL) == USBIP_NO_PERMISSION,
	   "what is not exported any more can not be claimed");
	ok(caller_bulk(c, 0x81, NULL, 512, &xfer) == 512,
	   "who has a device keeps it");
	ok(caller_claim(other, "1-1", 22, NULL) == USBIP_OK &&
	   caller_release(other) == USBIP_OK, "the rest is there");
}

/* ---- hostile bytes ------------------------------------------------------ */

static void test_hostile(void)
{
	static struct caller c, bad;
	struct caller_call call;
	int xfer;
	char *big = calloc(1, 1 << 20);

	caller_open(&bad, "127.0.0.1", d.port);
	bad.session = 1;
	caller_submit_out(&bad, &call, 0x01, big, 1 << 20, 0);
	caller_result(&call, NULL, 0, &xfer);
	ok(call.err.re_status == RPC_CANTRECV,
	   "a record that is large before a CLAIM ends its connection");
	caller_close(&bad);
	caller_open(&c, "127.0.0.1", d.port);
	ok(state_of(&c, "1-1", NULL, NULL) >= 0, "and nobody else's");
	caller_close(&c);
	free(big);
}

/* ---- the lease ---------------------------------------------------------- */

static void test_lease(void)
{
	static const char *const args[] = { "--lease", "1", NULL };
	static struct caller c, other;
	struct caller_call in, call;
	char text[1024];
	struct watch w;
	int xfer;

	caller_daemon_start(&d, "* *\n", NULL, args);
	caller_open(&c, "127.0.0.1", d.port);
	caller_open(&other, "127.0.0.1", d.port);
	caller_claim(&c, "1-4", 1, NULL);
	caller_run(&c, 700, NULL);
	ok(caller_renew(&c, 0, 0) == USBIP_OK, "RENEW in time");
	caller_run(&c, 700, NULL);
	ok(caller_renew(&c, 0, 0) == USBIP_OK, "and again");
	caller_submit_interrupt(&c, &in, 0x81, 8, 0);
	watch_begin(&c, &w);
	events(&c, &call, &w, c.session, 10);
	ok(caller_result(&in, NULL, 0, &xfer) == -1 &&
	   xfer == USBIP_XFER_CANCELLED, "no call for a second: what runs is CANCELLED");
	told(&call, &w, text);
	ok(!strcmp(text, "session 1-4/9"), "EVENTS tells: %s", text);
	ok(caller_renew(&c, 0, 0) == USBIP_EXPIRED, "the session has EXPIRED");
	for (int i = 0; caller_claim(&other, "1-4", 2, NULL) && i < 100; i++)
		caller_run(&c, 50, NULL);	/* it is being given back */
	ok(other.session, "and the device can be claimed");
	caller_close(&other);
	caller_run(&c, 1200, NULL);
	ok(state_of(&c, "1-4", NULL, NULL) == USBIP_STATE_AVAILABLE,
	   "a controller that died has it no longer than its lease");
	caller_close(&c);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
}

static void test_script(void)
{
	static struct caller c;
	struct caller_call call;
	char text[1024];
	struct watch w;
	int xfer;

	caller_daemon_start(&d, "* *\n",
		"device 7-1.2 zero serial=X\ndevice 7-2 keyboard unplugged\n"
		"at 300 plug 7-2\nat 600 unplug 7-2\nfault 7-1.2 0x81 1 stall\n",
		NULL);
	caller_open(&c, "127.0.0.1", d.port);
	watch_begin(&c, &w);
	events(&c, &call, &w, 0, 5);
	told(&call, &w, text);
	ok(!strcmp(text, "arrived 7-2/0"), "a script plugs in: %s", text);
	events(&c, &call, &w, 0, 5);
	told(&call, &w, text);
	ok(!strcmp(text, "left 7-2/0"), "and unplugs: %s", text);
	caller_claim(&c, "7-1.2", 1, NULL);
	ok(caller_bulk(&c, 0x81, NULL, 64, &xfer) == 64 &&
	   caller_bulk(&c, 0x81, NULL, 64, &xfer) == -1 &&
	   xfer == USBIP_XFER_STALL, "the second transfer stalls");
	events(&c, &call, &w, 0, 30);
	caller_run(&c, 50, NULL);
	ok(!caller_daemon_stop(&d),
	   "the daemon ends well with a session and a wait on");
	told(&call, &w, text);
	ok(!strncmp(text, "changed 7-1.2/0", 15), "who waits is answered: %s", text);
	caller_close(&c);
}

/* ---- names -------------------------------------------------------------- */

static void start_without_names(const char *exports)
{
	const char *top = getenv("top_builddir");
	char shim[256];

	snprintf(shim, sizeof(shim), "%s/tests/integration/no-names.so",
		 top ? top : ".");
	setenv("LD_PRELOAD", shim, 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	caller_daemon_start(&d, exports, NULL, NULL);
	unsetenv("LD_PRELOAD");
}

static void test_no_names(void)
{
	static struct caller c, other, gone;
	struct caller_call waits, lost;

	start_without_names("1-1 127.0.0.1\n1-5 *.example.org\n");
	caller_open(&c, "127.0.0.1", d.port);
	caller_open(&other, "127.0.0.1", d.port);
	caller_open(&gone, "127.0.0.1", d.port);
	list_begin(&c, &waits, 0, 0);
	list_begin(&gone, &lost, 0, 0);
	caller_run(&c, 50, NULL);
	caller_run(&gone, 50, NULL);
	ok(caller_claim(&other, "1-1", 1, NULL) == USBIP_OK &&
	   caller_claim(&other, "2-1", 2, NULL) == USBIP_NO_PERMISSION,
	   "what lines with addresses decide takes no name");
	ok(!waits.done, "what others decide waits for it");
	caller_close(&gone);
	ok(caller_renew(&other, 0, 0) == USBIP_OK, "one that waits may go");
	ok(!caller_daemon_stop(&d), "the daemon does not wait at the end");
	ok(!caller_wait(&waits) && waits.res.list.status == USBIP_DELAY,
	   "nor does who waits");
	list_end(&waits);
	caller_close(&c);
	caller_close(&other);
}

static int call_as_stranger(unsigned int n)
{
	usbip_list_args args = { 0, 0 };

	return call_from(100 + n, USBIP_LIST, (xdrproc_t)xdr_usbip_list_args,
			 &args);
}

/* There is room for the names of 32 of one network: eight are answered. */
static void test_strangers(void)
{
	struct pollfd fds[40];
	static struct caller c;
	int n = 0;

	start_without_names("1-1 127.0.0.1\n1-5 *.example.org\n");
	for (unsigned int i = 0; i < 40; i++) {
		fds[i].fd = call_as_stranger(i);
		fds[i].events = POLLIN;
	}
	for (int left = 200; left && n < 8; left--) {
		n = poll(fds, 40, 100);
		if (n < 8)
			usleep(50000);	/* some wait, poll() does not */
	}
	caller_open(&c, "127.0.0.1", d.port);
	ok(n == 8 && caller_claim(&c, "1-5", 1, NULL) == USBIP_DELAY,
	   "no room to ask for a name: DELAY");
	ok(caller_claim(&c, "1-1", 1, NULL) == USBIP_OK,
	   "who needs no name is served");
	for (unsigned int i = 0; i < 40; i++)
		close(fds[i].fd);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	caller_close(&c);
}

static void test_no_netgroups(void)
{
	static struct caller c, other;
	struct caller_call waits;

	setenv("NO_NETGROUPS", "1", 1);
	start_without_names("1-1 127.0.0.1\n1-5 @lab\n");
	caller_open(&c, "127.0.0.1", d.port);
	caller_open(&other, "127.0.0.1", d.port);
	list_begin(&c, &waits, 0, 0);
	caller_run(&c, 50, NULL);
	ok(caller_claim(&other, "1-1", 1, NULL) == USBIP_OK,
	   "who asks for netgroups holds up nobody else");
	ok(!waits.done, "and waits");
	ok(!caller_daemon_stop(&d), "the daemon does not wait at the end");
	ok(!caller_wait(&waits) && waits.res.list.status == USBIP_DELAY,
	   "nor does who waits");
	list_end(&waits);
	caller_close(&c);
	caller_close(&other);
}

/* A call that comes with the signal is answered, and so is one that waits. */
static void test_stop(void)
{
	struct caller_call release, waits;
	usbip_session_args args;
	static struct caller c, other;
	char text[1024];
	struct watch w;
	int status;

	caller_daemon_start(&d, "* *\n", NULL, NULL);
	caller_open(&c, "127.0.0.1", d.port);
	caller_open(&other, "127.0.0.1", d.port);
	caller_claim(&c, "1-1", 1, NULL);
	watch_begin(&other, &w);
	events(&other, &waits, &w, 0, 60);
	caller_run(&other, 50, NULL);
	kill(d.pid, SIGSTOP);
	args.session = c.session;
	caller_begin(&c, &release);
	usbip_release_1(&args, &release.res.stat, rpcclnt_handle(c.clnt));
	caller_run(&c, 50, NULL);
	kill(d.pid, SIGTERM);
	kill(d.pid, SIGCONT);
	ok(!caller_wait(&release) && release.res.stat.status == USBIP_OK,
	   "RELEASE, as it stops, is answered");
	caller_end(&release, NULL);
	told(&waits, &w, text);
	ok(strstr(text, "changed 1-1"), "and so is who waits: %s", text);
	ok(waitpid(d.pid, &status, 0) == d.pid && !status, "and it ends well");
	caller_daemon_forget(&d);
	caller_close(&c);
	caller_close(&other);
}

int main(void)
{
	static struct caller c, other;

	caller_daemon_start(&d, "# all but one\n1-1 *\n1-2 *\n1-3 *\n1-4 *\n"
			    "1-5 localhost *.example.org\n2-1 127.0.0.1\n2-2 192.0.2.1\n", NULL, NULL);
	caller_open(&c, "127.0.0.1", d.port);
	caller_open(&other, "127.0.0.1", d.port);
	test_list(&c);
	test_names(&c);
	test_claim(&c, &other);
	test_events(&c, &other);
	test_crowd(&c);
	test_unplug(&c, &other);
	test_reload(&c, &other);
	test_hostile();
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	caller_close(&c);
	caller_close(&other);
	test_lease();
	test_script();
	test_no_names();
	test_strangers();
	test_no_netgroups();
	test_stop();
	return tap_done();
}
