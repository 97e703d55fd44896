// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is different by datagram: who is believed, who is heard, what fits, and
 * what comes twice. The messages are made by hand, so that each can be sent
 * when and from where a test wants it.
 *
 * That something is not answered is known by what is asked behind it: one
 * socket's datagrams are answered in their order, but for those that wait.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/caller.h"
#include "tests/tap.h"

#define WAIT_MS 10000
#define DGRAM_MAX 65507

/* What answer() says beside a usbip_stat. */
#define NOTHING -1
#define STRANGE -2		/* another xid, no success */
#define DENIED 1000		/* + enum auth_stat */

static struct caller_daemon d;

struct peer {
	int fd;
	uint32_t xid;			/* the last one used */
	bool proved;
	uint8_t cookie[16];
	uint8_t reply[65536];
	ssize_t len;			/* of it */
	size_t called;			/* bytes of the last call */
	usbip_session session;
};

static void open_peer(struct peer *p)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(d.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	memset(p, 0, sizeof(*p));
	p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof(to)))
		abort();
}

static void put(XDR *xdrs, uint32_t word)
{
	xdr_u_int(xdrs, &word);
}

/* xid 0: a new one. */
static uint32_t call(struct peer *p, uint32_t xid, uint32_t proc,
		     xdrproc_t xdr, void *args)
{
	static char message[DGRAM_MAX];
	XDR xdrs;

	xdrmem_create(&xdrs, message, sizeof(message), XDR_ENCODE);
	if (!xid)
		xid = ++p->xid;
	put(&xdrs, xid);
	put(&xdrs, 0);			/* CALL */
	put(&xdrs, 2);
	put(&xdrs, USBIP_PROGRAM);
	put(&xdrs, USBIP_V1);
	put(&xdrs, proc);
	put(&xdrs, p->proved ? AUTH_SHORT : AUTH_NONE);
	put(&xdrs, p->proved ? 16 : 0);
	if (p->proved)
		xdr_opaque(&xdrs, (char *)p->cookie, 16);
	put(&xdrs, AUTH_NONE);
	put(&xdrs, 0);
	if (xdr && !xdr(&xdrs, args))
		abort();
	p->called = xdr_getpos(&xdrs);
	if (send(p->fd, message, p->called, 0) != (ssize_t)p->called)
		abort();
	return xid;
}

static uint32_t word(const struct peer *p, unsigned int i)
{
	return (uint32_t)p->reply[4 * i] << 24 | p->reply[4 * i + 1] << 16 |
	       p->reply[4 * i + 2] << 8 | p->reply[4 * i + 3];
}

/* The next reply, to xid: its status, or one of those above. */
static int answer(struct peer *p, uint32_t xid)
{
	struct pollfd poll_fd = { p->fd, POLLIN, 0 };

	if (poll(&poll_fd, 1, WAIT_MS) <= 0)
		return NOTHING;
	p->len = recv(p->fd, p->reply, sizeof(p->reply), 0);
	if (p->len < 20 || word(p, 0) != xid)
		return STRANGE;
	if (word(p, 2) == MSG_DENIED)
		return DENIED + word(p, 4);
	if (word(p, 4) || word(p, 5))
		return STRANGE;
	return p->len > 24 ? (int)word(p, 6) : 0;
}

static int ask(struct peer *p, uint32_t proc, xdrproc_t xdr, void *args)
{
	return answer(p, call(p, 0, proc, xdr, args));
}

/* The result of the last reply; freed by xdr_free(). */
static void decode(const struct peer *p, xdrproc_t xdr, void *res, size_t size)
{
	XDR xdrs;

	memset(res, 0, size);
	xdrmem_create(&xdrs, (char *)(uintptr_t)p->reply + 24, p->len - 24,
		      XDR_DECODE);
	if (!xdr(&xdrs, res))
		abort();
}

/* The call that was just made is not answered. */
static bool is_ignored(struct peer *p)
{
	uint32_t xid = call(p, 0, USBIP_NULL, NULL, NULL);

	return poll(&(struct pollfd){ p->fd, POLLIN, 0 }, 1, WAIT_MS) > 0 &&
	       recv(p->fd, p->reply, sizeof(p->reply), 0) > 20 &&
	       word(p, 0) == xid;
}

/* Whatever has been answered until now. */
static void skip_answers(struct peer *p)
{
	uint32_t xid = call(p, 0, USBIP_NULL, NULL, NULL);

	while (answer(p, xid) != NOTHING && word(p, 0) != xid)
		;
}

static bool prove(struct peer *p)
{
	uint32_t xid = call(p, 0, USBIP_NULL, NULL, NULL);

	answer(p, xid);		/* the verifier is in its place */
	if (p->len != 40 || word(p, 0) != xid || word(p, 3) != AUTH_SHORT ||
	    word(p, 4) != 16 || word(p, 9))
		return false;
	memcpy(p->cookie, p->reply + 20, 16);
	p->proved = true;
	return true;
}

static uint32_t call_claim(struct peer *p, uint32_t xid, const char *device,
			   uint8_t instance)
{
	usbip_claim_args args = {
		.device = (char *)device, .host = (char *)"",
	};

	memset(args.instance, instance, sizeof(args.instance));
	return call(p, xid, USBIP_CLAIM, (xdrproc_t)xdr_usbip_claim_args,
		    &args);
}

static int claim(struct peer *p, const char *device, uint8_t instance,
		 usbip_claim_res *res)
{
	int stat = answer(p, call_claim(p, 0, device, instance));

	if (stat == USBIP_OK) {
		decode(p, (xdrproc_t)xdr_usbip_claim_res, res, sizeof(*res));
		p->session = res->usbip_claim_res_u.claim.session;
		xdr_free((xdrproc_t)xdr_usbip_claim_res, (char *)res);
	}
	return stat;
}

static int renew(struct peer *p, usbip_session session)
{
	usbip_renew_args args = { .session = session };

	return ask(p, USBIP_RENEW, (xdrproc_t)xdr_usbip_renew_args, &args);
}

static uint32_t call_release(struct peer *p, uint32_t xid)
{
	usbip_session_args args = { p->session };

	return call(p, xid, USBIP_RELEASE, (xdrproc_t)xdr_usbip_session_args,
		    &args);
}

static int release(struct peer *p)
{
	return answer(p, call_release(p, 0));
}

static uint32_t call_unlink(struct peer *p, usbip_session session)
{
	usbip_urb args = { session, 0x81, 1 };

	return call(p, 0, USBIP_UNLINK, (xdrproc_t)xdr_usbip_urb, &args);
}

/* ---- who is believed ---------------------------------------------------- */

static void test_proof(struct peer *p)
{
	usbip_events_args events = { .after = 0 };
	usbip_list_args list = { 0, 0 };
	usbip_claim_res res;

	ok(claim(p, "1-2", 1, &res) == DENIED + AUTH_TOOWEAK &&
	   p->len < (ssize_t)p->called, "CLAIM from nowhere: AUTH_TOOWEAK");
	ok(ask(p, USBIP_LIST, (xdrproc_t)xdr_usbip_list_args, &list) ==
	   DENIED + AUTH_TOOWEAK, "LIST, too");
	ok(ask(p, USBIP_EVENTS, (xdrproc_t)xdr_usbip_events_args, &events) ==
	   DENIED + AUTH_TOOWEAK, "and EVENTS");
	ok(prove(p) && p->called == 40,
	   "NULL gives a proof, in 40 bytes for 40");
	ok(ask(p, USBIP_LIST, (xdrproc_t)xdr_usbip_list_args, &list) ==
	   USBIP_OK, "with which LIST is answered");
	p->cookie[3] ^= 1;
	ok(claim(p, "1-2", 1, &res) == DENIED + AUTH_REJECTEDCRED,
	   "a wrong one is AUTH_REJECTEDCRED");
	p->cookie[3] ^= 1;
	ok(claim(p, "1-2", 1, &res) == USBIP_OK, "CLAIM with a right one");
}

/* ---- who is heard ------------------------------------------------------- */

static void test_home(struct peer *a, struct peer *b)
{
	usbip_session session = a->session;
	usbip_events_args events = { .session = session };
	usbip_fetch_args fetch = { { session, 0x80, 0 }, 0, 18 };
	xdrproc_t xdr = (xdrproc_t)xdr_usbip_events_args;
	usbip_events_args all = { .after = 0, .wait = 60 };
	usbip_list_args list = { 0, 0 };
	usbip_claim_res res;

	/* its address can be guessed: that is no proof for what any may ask */
	a->proved = false;
	ok(answer(a, call_unlink(a, session)) == USBIP_OK, "home is heard");
	ok(ask(a, USBIP_EVENTS, xdr, &events) == USBIP_OK,
	   "and is told its session's events");
	ok(ask(a, USBIP_EVENTS, xdr, &all) == DENIED + AUTH_TOOWEAK,
	   "but those of all have to be proved there, too");
	ok(ask(a, USBIP_LIST, (xdrproc_t)xdr_usbip_list_args, &list) ==
	   DENIED + AUTH_TOOWEAK, "and so has LIST");
	a->proved = true;
	call_unlink(b, session);
	ok(is_ignored(b), "another place is not");
	call(b, 0, USBIP_FETCH, (xdrproc_t)xdr_usbip_fetch_args, &fetch);
	ok(is_ignored(b), "nor for FETCH");
	prove(b);
	call(b, 0, USBIP_EVENTS, xdr, &events);
	ok(is_ignored(b), "nor for EVENTS, though it is proved");
	b->session = session;
	call_release(b, 0);
	ok(is_ignored(b), "nor for RELEASE");
	ok(renew(b, session ^ 1) == USBIP_NO_SESSION,
	   "RENEW of no session: NO_SESSION");
	ok(renew(b, session) == USBIP_OK, "RENEW moves the home");
	ok(answer(b, call_unlink(b, session)) == USBIP_OK,
	   "which is heard from now on");
	call_unlink(a, session);
	ok(is_ignored(a), "the one before is not any more");
	ok(claim(a, "1-2", 1, &res) == USBIP_OK && a->session == session,
	   "CLAIM of the same instance moves it, too");
	call_unlink(b, session);
	ok(is_ignored(b) && answer(a, call_unlink(a, session)) == USBIP_OK,
	   "back");
}

/* A session can come from a stream, and go to one. */
static void test_streams(struct peer *a)
{
	struct caller c;

	caller_open(&c, "127.0.0.1", d.port);
	c.session = a->session;
	ok(caller_unlink(&c, 0x81, 1) == USBIP_OK,
	   "a stream is heard from anywhere");
	ok(caller_renew(&c, 0x81, 0) == USBIP_OK, "RENEW by a stream");
	call_unlink(a, a->session);
	ok(is_ignored(a), "is a move, too");
	ok(renew(a, a->session) == USBIP_OK &&
	   answer(a, call_unlink(a, a->session)) == USBIP_OK, "and back");
	caller_close(&c);
}

/* ---- what comes twice --------------------------------------------------- */

static void test_events(struct peer *a, struct peer *b)
{
	usbip_events_args own = { .session = a->session, .wait = 60 };
	usbip_events_args all = { .wait = 60 };
	xdrproc_t xdr = (xdrproc_t)xdr_usbip_events_args;
	usbip_list_args list = { 0, 0 };
	usbip_list_res res;
	uint32_t xid, xid_all;

	ask(b, USBIP_LIST, (xdrproc_t)xdr_usbip_list_args, &list);
	decode(b, (xdrproc_t)xdr_usbip_list_res, &res, sizeof(res));
	memcpy(own.boot, res.usbip_list_res_u.list.boot, sizeof(own.boot));
	memcpy(all.boot, own.boot, sizeof(all.boot));
	own.after = all.after = res.usbip_list_res_u.list.event;
	xdr_free((xdrproc_t)xdr_usbip_list_res, (char *)&res);

	xid = call(a, 0, USBIP_EVENTS, xdr, &own);
	for (int i = 0; i < 3; i++) {
		call(a, xid, USBIP_EVENTS, xdr, &own);
		ok(answer(a, xid) == USBIP_IN_PROGRESS,
		   "EVENTS once more: the one before is IN_PROGRESS");
	}
	xid_all = call(b, 0, USBIP_EVENTS, xdr, &all);
	call(b, xid_all, USBIP_EVENTS, xdr, &all);
	ok(answer(b, xid_all) == USBIP_IN_PROGRESS,
	   "without a session, too");
	call_release(a, 0);
	ok(answer(a, xid) == USBIP_OK && word(a, 9) == 1 &&
	   word(a, 10) == USBIP_EVENT_SESSION, "the last one has the event");
	ok(answer(a, a->xid) == USBIP_OK, "RELEASE");
	ok(answer(b, xid_all) == USBIP_OK && is_ignored(b),
	   "one answer for who watches all devices");
}

/* The first answer that is not IN_PROGRESS. */
static int last_answer(struct peer *p, uint32_t xid)
{
	int stat;

	do
		stat = answer(p, xid);
	while (stat == USBIP_IN_PROGRESS);
	return stat;
}

static void test_copies(struct peer *p)
{
	usbip_claim_res res;
	uint32_t xid;

	xid = call_claim(p, 0, "1-2", 3);
	for (int i = 0; i < 3; i++)
		call_claim(p, xid, "1-2", 3);
	ok(last_answer(p, xid) == USBIP_OK,
	   "CLAIM four times: nothing but IN_PROGRESS until it is done");
	skip_answers(p);
	ok(claim(p, "1-2", 3, &res) == USBIP_OK, "and once more");
	xid = call_release(p, 0);
	for (int i = 0; i < 3; i++)
		call_release(p, xid);
	ok(last_answer(p, xid) == USBIP_OK, "RELEASE four times, the same");
	skip_answers(p);
	ok(release(p) == USBIP_RELEASED, "then it is RELEASED");
}

/* ---- what fits ---------------------------------------------------------- */

static usbip_stat fetch(struct peer *p, uint32_t offset, uint32_t count,
			uint8_t *to, uint32_t *n)
{
	usbip_fetch_args args = { { p->session, 0x80, 0 }, offset, count };
	usbip_fetch_res res;
	int stat;

	stat = ask(p, USBIP_FETCH, (xdrproc_t)xdr_usbip_fetch_args, &args);
	*n = 0;
	if (stat != USBIP_OK)
		return stat;
	decode(p, (xdrproc_t)xdr_usbip_fetch_res, &res, sizeof(res));
	*n = res.usbip_fetch_res_u.piece.piece_len;
	memcpy(to, res.usbip_fetch_res_u.piece.piece_val, *n);
	xdr_free((xdrproc_t)xdr_usbip_fetch_res, (char *)&res);
	return stat;
}

static size_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static void test_descriptors(struct peer *p)
{
	static uint8_t all[8192];
	usbip_claim_res res;
	usbip_claim_ok *ok = &res.usbip_claim_res_u.claim;
	size_t n = 0, len = 18;
	uint32_t piece;

	ok(claim(p, "1-2", 4, &res) == USBIP_OK && ok->configs.configs_len == 2,
	   "CLAIM of a small device has its configurations");
	release(p);
	ok(claim(p, "9-1", 4, &res) == USBIP_OK && p->len <= 1200 &&
	   !ok->configs.configs_len && !ok->bos.usbip_descriptor_len &&
	   ok->device[17] == 2, "of one that has too much to tell, has none");
	do {
		if (fetch(p, n, 1000, all + n, &piece) != USBIP_OK)
			break;
		n += piece;
	} while (piece == 1000);
	for (int i = 0; i < ok->device[17] && len < n; i++)
		len += le16(all + len + 2);
	ok(n > 2000 && !memcmp(all, ok->device, 18) && all[19] == 2 &&
	   all[len + 1] == 15 && n == len + le16(all + len + 2),
	   "FETCH has them: %zu bytes", n);
	release(p);
}

static void test_list(struct peer *p)
{
	usbip_list_args args = { 0, 0 };
	usbip_list_res res;
	usbip_list_ok *list = &res.usbip_list_res_u.list;
	unsigned int n = 0, calls = 0;
	bool good = true, eof = false;

	while (good && !eof && calls < 50) {
		good = ask(p, USBIP_LIST, (xdrproc_t)xdr_usbip_list_args,
			   &args) == USBIP_OK && p->len <= 1200;
		if (!good)
			break;
		decode(p, (xdrproc_t)xdr_usbip_list_res, &res, sizeof(res));
		n += list->devices.devices_len;
		args.cookie = list->cookie;
		eof = list->eof;
		calls++;
		xdr_free((xdrproc_t)xdr_usbip_list_res, (char *)&res);
	}
	ok(good && eof && n == 43 && calls > 2,
	   "LIST of 43 devices, in %u replies that fit", calls);
}

static void test_all_events(struct peer *p)
{
	usbip_events_args args = { .after = 0 };
	usbip_list_args list_args = { 0, 1 };
	unsigned int n = 0;
	bool good = true;
	uint64_t newest;

	ask(p, USBIP_LIST, (xdrproc_t)xdr_usbip_list_args, &list_args);
	memcpy(args.boot, p->reply + 28, sizeof(args.boot));
	newest = (uint64_t)word(p, 9) << 32 | word(p, 10);
	while (good && args.after < newest && n < 50) {
		good = ask(p, USBIP_EVENTS, (xdrproc_t)xdr_usbip_events_args,
			   &args) == USBIP_OK && p->len <= 1200;
		args.after = (uint64_t)word(p, 7) << 32 | word(p, 8);
		n++;
	}
	ok(good && args.after == newest && n > 1,
	   "%u events, in %u replies that fit", (unsigned int)newest, n);
}

static uint32_t call_bulk_in(struct peer *p, uint32_t xid, uint32_t number,
			     uint32_t length)
{
	usbip_bulk_args args = { .submit = {
		p->session, 0x81, number, number - 1
	} };

	args.buffer.type = USBIP_BUFFER_IN;
	args.buffer.usbip_buffer_u.length = length;
	return call(p, xid, USBIP_BULK, (xdrproc_t)xdr_usbip_bulk_args, &args);
}

static int bulk_in(struct peer *p, uint32_t number, uint32_t length)
{
	return answer(p, call_bulk_in(p, 0, number, length));
}

static void test_length(struct peer *p)
{
	usbip_claim_res res;

	claim(p, "1-2", 5, &res);
	ok(bulk_in(p, 1, 65400) == USBIP_OK_DATA && p->len == 65400 + 36,
	   "65400 bytes in one reply");
	ok(bulk_in(p, 2, 65500) == USBIP_INVAL, "65500 do not fit: INVAL");
	ok(bulk_in(p, 3, 65400) == USBIP_OK_DATA, "the next does");
	release(p);
}

/* What was asked from home is answered there, however long, when it is none
 * any more. */
static void test_end(struct peer *p)
{
	usbip_claim_res res;
	uint32_t xid;

	p->proved = false;	/* now and then, that is all that is needed */
	prove(p);
	claim(p, "9-2", 6, &res);
	p->proved = false;
	xid = call_bulk_in(p, 0, 1, 512);
	/* more than the daemon reads at once: it has begun by then */
	for (int i = 0; i < 100; i++)
		is_ignored(p);
	call_release(p, 0);
	ok(answer(p, xid) == USBIP_OK_DATA &&
	   word(p, 7) == USBIP_XFER_CANCELLED && word(p, 8) == 256, "the end cuts a transfer, which is answered");
	ok(answer(p, p->xid) == USBIP_OK, "and so is RELEASE");
}

int main(void)
{
	static char script[8192] = "device 1-2 zero\n"
		"device 9-1 zero speed=super more=2000\n"
		"device 9-2 zero\nfault 9-2 0x81 0 cut\n";
	static struct peer a, b;

	for (int i = 0; i < 40; i++)
		sprintf(script + strlen(script), "device 3-%d keyboard\n",
			i + 1);
	caller_daemon_start(&d, "* *\n", script, NULL);
	open_peer(&a);
	open_peer(&b);
	test_proof(&a);
	test_home(&a, &b);
	test_streams(&a);
	test_events(&a, &b);
	test_copies(&a);
	test_descriptors(&a);
	test_list(&a);
	test_all_events(&a);
	test_length(&a);
	test_end(&a);
	close(a.fd);
	close(b.fd);
	ok(!caller_daemon_stop(&d), "the daemon ends well");
	return tap_done();
}
