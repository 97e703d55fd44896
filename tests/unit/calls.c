// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The URBs of a port as calls where a message holds 1232 bytes and may be
 * lost, with a kernel, a session and an engine that are the test's own. What is
 * sent is noted as words, its number behind it:
 *   b1 bs1 bf1     BULK: whole, STAGED, FETCHED      i1  ISOC     x1  UNLINK
 *   s1@0+9 f1@0+9  STAGE and FETCH: offset and count
 *   =7:ok/9        the kernel was answered: id, status, actual length
 */
#include "client/calls.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/port.h"
#include "client/session.h"
#include "common/rpcclnt.h"
#include "rpc/usbip.h"
#include "tests/tap.h"

#define IN 0x81
#define OUT 0x01
#define ISO 0x82
#define PIECE 1168		/* in a room of 1232 */

/* ---- an engine that keeps calls until they are answered ------------------ */

struct fake {
	char word[32];
	void *res;
	uint32_t offset, count;
	unsigned int how, timeout;
	rpcclnt_done_fn done;
	void *user;
};

static struct {
	struct fake calls[600];
	unsigned int n;
	struct fake next;
	bool up, ended, dgram;
	size_t room;
	CLIENT handle;
	usbip_stat why;
} e;

static struct event_base *base;
static struct port *port;
static struct calls *calls;
static char words[4096];
static struct vhci_complete last;
static uint8_t data[8192], came[8192];

static void say(const char *word)
{
	size_t len = strlen(words);

	snprintf(words + len, sizeof(words) - len, "%s%s", len ? " " : "", word);
}

static void forget_words(void)
{
	*words = '\0';
}

static bool said(const char *want)
{
	bool same = !strcmp(words, want);

	if (!same)
		printf("# want '%s', got '%s'\n", want, words);
	forget_words();
	return same;
}

void rpcclnt_next(struct rpcclnt *clnt, unsigned int timeout_ms,
		  rpcclnt_done_fn done, void *user)
{
	e.next = (struct fake){
		.timeout = timeout_ms, .done = done, .user = user,
	};
}

void rpcclnt_how(struct rpcclnt *clnt, unsigned int how)
{
	e.next.how = how;
}

void rpcclnt_expect(struct rpcclnt *clnt, size_t bytes)
{
}

bool rpcclnt_is_dgram(const struct rpcclnt *clnt)
{
	return e.dgram;
}

size_t rpcclnt_room(const struct rpcclnt *clnt)
{
	return e.room;
}

CLIENT *rpcclnt_handle(struct rpcclnt *clnt)
{
	return &e.handle;
}

void *rpcclnt_keep(struct rpcclnt *clnt)
{
	return NULL;
}

void rpcclnt_unkeep(void *record)
{
}

static enum clnt_stat put(void *res, const char *word)
{
	if (e.ended)
		return RPC_CANTSEND;
	if (e.n == 600)
		abort();
	e.calls[e.n] = e.next;
	e.calls[e.n].res = res;
	strcpy(e.calls[e.n++].word, word);
	say(word);
	return RPC_SUCCESS;
}

static enum clnt_stat put_submit(void *res, char kind, const usbip_submit *s,
				 const usbip_buffer *b)
{
	static const char *const types[] = { "", "", "s", "f" };
	char word[32];

	snprintf(word, sizeof(word), "%c%s%u", kind, types[b->type], s->number);
	return put(res, word);
}

enum clnt_stat usbip_bulk_1(usbip_bulk_args *args, usbip_transfer_res *res,
			    CLIENT *clnt)
{
	return put_submit(res, 'b', &args->submit, &args->buffer);
}

enum clnt_stat usbip_isoc_1(usbip_isoc_args *args, usbip_isoc_res *res,
			    CLIENT *clnt)
{
	return put_submit(res, 'i', &args->submit, &args->buffer);
}

enum clnt_stat usbip_unlink_1(usbip_urb *args, usbip_stat_res *res, CLIENT *clnt)
{
	char word[32];

	snprintf(word, sizeof(word), "x%u", args->number);
	return put(res, word);
}

static enum clnt_stat put_piece(void *res, char kind, const usbip_urb *urb,
				uint32_t offset, uint32_t count)
{
	char word[32];

	snprintf(word, sizeof(word), "%c%u@%u+%u", kind, urb->number, offset,
		 count);
	e.next.offset = offset;
	e.next.count = count;
	return put(res, word);
}

enum clnt_stat usbip_stage_1(usbip_stage_args *args, usbip_stat_res *res,
			     CLIENT *clnt)
{
	if (memcmp(args->piece.piece_val, data + args->offset,
		   args->piece.piece_len))
		say("wrong");
	return put_piece(res, 's', &args->urb, args->offset,
			 args->piece.piece_len);
}

enum clnt_stat usbip_fetch_1(usbip_fetch_args *args, usbip_fetch_res *res,
			     CLIENT *clnt)
{
	return put_piece(res, 'f', &args->urb, args->offset, args->count);
}

/* Those that no test makes. */
#define UNUSED(name, args_type, res_type)				\
	enum clnt_stat usbip_##name##_1(args_type *args, res_type *res,	\
					CLIENT *clnt)			\
	{								\
		abort();						\
	}

UNUSED(control, usbip_control_args, usbip_transfer_res)
UNUSED(interrupt, usbip_interrupt_args, usbip_transfer_res)
UNUSED(set_configuration, usbip_set_configuration_args, usbip_state_res)
UNUSED(set_interface, usbip_set_interface_args, usbip_state_res)
UNUSED(clear_halt, usbip_clear_halt_args, usbip_state_res)
UNUSED(reset, usbip_reset_args, usbip_state_res)
UNUSED(alloc_streams, usbip_streams_args, usbip_state_res)
UNUSED(free_streams, usbip_streams_args, usbip_state_res)
UNUSED(suspend, usbip_suspend_args, usbip_state_res)
UNUSED(resume, usbip_suspend_args, usbip_state_res)

/* ---- a session ----------------------------------------------------------- */

struct rpcclnt *session_clnt(const struct session *s)
{
	return e.up ? (struct rpcclnt *)&e : NULL;
}

usbip_session session_handle(const struct session *s)
{
	return 1;
}

void session_heard(struct session *s)
{
}

void session_end(struct session *s, usbip_stat why)
{
	e.why = why;
}

/* ---- answers ------------------------------------------------------------- */

/* The call of that word is taken out, the oldest of them. */
static struct fake take(const char *word)
{
	for (unsigned int i = 0; i < e.n; i++) {
		struct fake call = e.calls[i];

		if (strcmp(call.word, word))
			continue;
		memmove(&e.calls[i], &e.calls[i + 1],
			(e.n - i - 1) * sizeof(call));
		e.n--;
		return call;
	}
	printf("# no call %s\n", word);
	abort();
}

static void end_as(const char *word, enum clnt_stat stat)
{
	struct rpc_err err = { .re_status = stat };
	struct fake call = take(word);

	if (stat == RPC_CANTSEND)
		err.re_errno = EMSGSIZE;
	call.done(&err, call.user);
}

static void answer_as(const char *word, usbip_stat stat, usbip_xfer xfer,
		      uint32_t actual)
{
	struct rpc_err err = { .re_status = RPC_SUCCESS };
	struct fake call = take(word);
	usbip_transfer_res *res = call.res;

	res->status = stat;
	if (stat == USBIP_OK)
		res->usbip_transfer_res_u.done = (usbip_done){ xfer, actual };
	call.done(&err, call.user);
}

/* Of a piece: all of it, or `count` bytes. */
static void bring(const char *word, uint32_t count)
{
	struct rpc_err err = { .re_status = RPC_SUCCESS };
	struct fake call = take(word);
	usbip_fetch_res *res = call.res;

	res->status = USBIP_OK;
	if (*call.word == 'f') {
		res->usbip_fetch_res_u.piece.piece_len = count;
		res->usbip_fetch_res_u.piece.piece_val = malloc(count + 1);
		memcpy(res->usbip_fetch_res_u.piece.piece_val,
		       data + call.offset, count);
	}
	call.done(&err, call.user);
}

static void answer_isoc_as(const char *word, uint32_t packets, usbip_xfer xfer)
{
	struct rpc_err err = { .re_status = RPC_SUCCESS };
	struct fake call = take(word);
	usbip_isoc_res *res = call.res;
	usbip_packet *p = calloc(packets, sizeof(*p));

	for (uint32_t i = 0; i < packets; i++)
		p[i].xfer = xfer;
	res->status = USBIP_OK;
	res->usbip_isoc_res_u.done.packets.packets_len = packets;
	res->usbip_isoc_res_u.done.packets.packets_val = p;
	call.done(&err, call.user);
}

static void answer_isoc(const char *word, uint32_t packets)
{
	answer_isoc_as(word, packets, USBIP_XFER_OK);
}

/* ---- the port's other side ----------------------------------------------- */

static int on_submit(struct urb *urb, uint32_t acked, void *user)
{
	return calls_submit(calls, urb, acked);
}

static void on_unlink(struct urb *urb, void *user)
{
	calls_unlink(calls, urb);
}

static void on_renew(void *user)
{
	struct port_ack acks[PORT_ACKS];

	port_acks(port, acks, false);
}

static const char *name_of(int status)
{
	switch (status) {
	case 0:
		return "ok";
	case -EPIPE:
		return "EPIPE";
	case -EPROTO:
		return "EPROTO";
	case -ENOMEM:
		return "ENOMEM";
	case -EOVERFLOW:
		return "EOVERFLOW";
	case -ECONNRESET:
		return "ECONNRESET";
	default:
		return strerror(-status);
	}
}

static void on_complete(const struct vhci_complete *done, void *user)
{
	char word[64];

	last = *done;
	memset(came, 0, sizeof(came));
	if (done->data)
		memcpy(came, done->data, done->actual);
	snprintf(word, sizeof(word), "=%u:%s/%u", (unsigned int)done->id,
		 name_of(done->status), done->actual);
	say(word);
}

static void on_retry(unsigned int ms, void *user)
{
}

static void on_heard(const uint8_t setup[8], const uint8_t *bytes, size_t len,
		     void *user)
{
}

static void on_broken(const char *why, void *user)
{
	say("broken");
}

static void begin(void)
{
	static const struct port_window window = { 64, 1 << 24, 1 << 24 };
	static const struct answer_descriptors descriptors;
	static const struct port_ops ops = {
		on_submit, on_unlink, on_renew, on_complete, on_retry, on_heard,
		on_broken, NULL,
	};

	memset(&e, 0, sizeof(e));
	e.up = e.dgram = true;
	e.room = 1232;
	forget_words();
	port = port_new(&window, &descriptors, &ops);
	calls = calls_new(NULL, base);
	port_set_isoc(port, USB_SPEED_HIGH, 0);
	port_limit_isoc(port);
	port_up(port);
}

/* As the engine and the session do when a connection ends. */
static void lose_connection(void)
{
	e.ended = true;
	while (e.n)
		end_as(e.calls[0].word, RPC_CANTRECV);
	e.up = false;
	calls_down(calls);
	port_down(port);
}

static void restore_connection(void)
{
	e.up = true;
	e.ended = false;
	port_up(port);
}

static void end(void)
{
	lose_connection();
	calls = calls_free(calls);
	port = port_free(port);
}

static void submit(uint64_t id, uint8_t endpoint, uint32_t length)
{
	struct vhci_buf *buf = vhci_buf_new(length);
	struct vhci_submit s = {
		.id = id, .endpoint = endpoint, .transfer = USB_TRANSFER_BULK,
		.length = length, .data = buf->bytes, .buf = buf,
	};

	memcpy(buf->bytes, data, length < sizeof(data) ? length : sizeof(data));
	port_submit(port, &s);
	vhci_buf_unref(buf);
}

static void submit_isoc(uint64_t id, uint32_t packets, uint32_t length)
{
	struct vhci_packet p[8];
	struct vhci_submit s = {
		.id = id, .endpoint = ISO, .transfer = USB_TRANSFER_ISOC,
		.length = packets * length, .interval = 1, .n_packets = packets,
		.packets = p,
	};

	for (uint32_t i = 0; i < packets; i++)
		p[i] = (struct vhci_packet){ length, 0 };
	port_submit(port, &s);
}

/* ---- tests --------------------------------------------------------------- */

static void test_whole(void)
{
	begin();
	submit(7, OUT, 1152);
	submit(8, IN, 1152);
	ok(said("b1 b1"), "what fits goes whole");
	end();
	begin();
	e.room = SIZE_MAX;
	submit(7, OUT, 1 << 20);
	submit(8, IN, 1 << 20);
	ok(said("b1 b1"), "and on a stream, everything");
	end();
}

static void test_staged(void)
{
	begin();
	submit(7, OUT, 3000);
	ok(said("bs1 s1@0+1168 s1@1168+1168 s1@2336+664"),
	   "OUT data goes beside its submit");
	ok(!e.calls[0].how && e.calls[1].how == RPCCLNT_PROMPT,
	   "a piece is answered at once, a submit when it likes");
	bring("s1@1168+1168", 0);
	bring("s1@2336+664", 0);
	ok(said(""), "pieces alone end nothing");
	answer_as("bs1", USBIP_OK, USBIP_XFER_OK, 3000);
	ok(said("=7:ok/3000"), "the answer of the submit does");
	submit(8, OUT, 4);
	bring("s1@0+1168", 0);
	answer_as("b2", USBIP_OK, USBIP_XFER_OK, 4);
	ok(said("b2 =8:ok/4"), "a piece that is answered behind it is nobody's");
	end();
}

/* One more round of the loop, which a pause of 5 ms is over in. */
static void run(unsigned int ms)
{
	const struct timeval tv = { 0, ms * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void wait_for_words(void)
{
	for (int i = 0; i < 1000 && !*words; i++)
		run(10);
}

static void test_no_room(void)
{
	begin();
	submit(7, OUT, 2000);
	forget_words();
	answer_as("s1@1168+832", USBIP_DELAY, 0, 0);
	ok(said(""), "no room for a piece");
	wait_for_words();
	ok(said("s1@1168+832"), "it is sent again after a moment");
	answer_as("bs1", USBIP_DELAY, 0, 0);
	bring("s1@0+1168", 0);
	port_retry(port);
	ok(said("bs1 s1@0+1168 s1@1168+832"),
	   "no room for the submit: all of it again");
	answer_as("s1@0+1168", USBIP_INVAL, 0, 0);
	ok(said("x1"), "what is refused is cancelled");
	answer_as("bs1", USBIP_OK, USBIP_XFER_CANCELLED, 0);
	ok(said("=7:ECONNRESET/0"), "as its submit says");
	end();
}

static void test_fetched(void)
{
	begin();
	submit(7, IN, 4000);
	ok(said("bf1"), "IN data is not asked for before it is there");
	answer_as("bf1", USBIP_OK, USBIP_XFER_OVERFLOW, 2500);
	ok(said("f1@0+1168 f1@1168+1168 f1@2336+164"), "then all that there is");
	bring("f1@2336+164", 164);
	bring("f1@0+1168", 1000);
	ok(said("f1@1000+168"), "what is missing of a piece is asked for");
	bring("f1@1168+1168", 1168);
	bring("f1@1000+168", 168);
	ok(said("=7:EOVERFLOW/2500") && !memcmp(came, data, 2500) && last.keep,
	   "all of it is given at once");
	submit(8, IN, 4000);
	answer_as("bf2", USBIP_OK, USBIP_XFER_STALL, 0);
	ok(said("bf2 =8:EPIPE/0"), "nothing there: nothing fetched");
	port_written(port);
	port_settled(port);
	submit(9, IN, 4000);
	answer_as("bf3", USBIP_OK, USBIP_XFER_OK, 5000);
	ok(said("bf3 =9:EPROTO/0"), "more than was asked for is not fetched");
	port_written(port);
	port_settled(port);
	submit(10, IN, 4000);
	answer_as("bf4", USBIP_OK, USBIP_XFER_OK, 2000);
	bring("f4@0+1168", 0);
	ok(said("bf4 f4@0+1168 f4@1168+832 =10:EPROTO/0"),
	   "an empty piece, where there is data: one bad URB");
	bring("f4@1168+832", 832);
	ok(said(""), "and what comes behind it is dropped");
	end();
}

static void test_unlinked(void)
{
	begin();
	submit(7, OUT, 2000);
	port_unlink(port, 7);
	answer_as("bs1", USBIP_OK, USBIP_XFER_CANCELLED, 0);
	ok(said("bs1 s1@0+1168 s1@1168+832 x1 =7:ECONNRESET/0"),
	   "unlinked while it is staged");
	answer_as("s1@0+1168", USBIP_DELAY, 0, 0);
	bring("s1@1168+832", 0);
	run(20);
	ok(said(""), "no piece is sent again then");
	submit(8, IN, 2000);
	answer_as("bf1", USBIP_OK, USBIP_XFER_OK, 2000);
	port_unlink(port, 8);
	bring("f1@0+1168", 1168);
	bring("f1@1168+832", 832);
	ok(said("bf1 f1@0+1168 f1@1168+832 x1 =8:ok/2000"),
	   "unlinked while it is fetched: it is done, and its data counts");
	end();
}

static void test_reconnect(void)
{
	begin();
	submit(7, OUT, 2000);
	submit(8, IN, 2000);
	submit(9, IN, 2000);
	answer_as("bf1", USBIP_OK, USBIP_XFER_OK, 2000);
	bring("f1@0+1168", 1168);
	/* waits for its pause, and no call is outstanding that would tell */
	answer_as("f1@1168+832", USBIP_IN_PROGRESS, 0, 0);
	forget_words();
	lose_connection();
	run(20);
	ok(said(""), "nothing is sent without a connection");
	restore_connection();
	ok(said("bs1 s1@0+1168 s1@1168+832 bf1 bf2"),
	   "all again on the next one");
	answer_as("bf1", USBIP_OK, USBIP_XFER_OK, 2000);
	bring("f1@1168+832", 832);
	bring("f1@0+1168", 1168);
	ok(said("f1@0+1168 f1@1168+832 =8:ok/2000") &&
	   !memcmp(came, data, 2000), "and it ends");
	/* as long as nobody has connected anew, the old one may yet bring some */
	e.up = false;
	answer_as("bf2", USBIP_OK, USBIP_XFER_OK, 2000);
	ok(said(""), "an answer, and no connection to fetch the data by");
	e.up = true;
	lose_connection();
	forget_words();
	restore_connection();
	ok(said("bs1 s1@0+1168 s1@1168+832 bf2"), "it is asked for again");
	end();
}

static void test_narrower(void)
{
	begin();
	e.room = 4096;
	submit(7, OUT, 2000);
	submit(8, IN, 2000);
	e.room = 1232;
	end_as("b1", RPC_CANTSEND);
	ok(said("b1 b1 bs1 s1@0+1168 s1@1168+832"),
	   "what does not fit any more goes in pieces");
	answer_as("bs1", USBIP_OK, USBIP_XFER_OK, 2000);
	forget_words();
	submit(9, OUT, 2000);
	e.room = 664;
	end_as("s2@0+1168", RPC_CANTSEND);
	ok(said("bs2 s2@0+1168 s2@1168+832 s2@0+600 s2@600+600 s2@1200+600 "
		"s2@1800+200"), "and in smaller ones");
	end_as("s2@1168+832", RPC_CANTSEND);
	ok(said(""), "once");
	end();
}

static void test_many(void)
{
	begin();
	submit(7, IN, 1 << 20);
	answer_as("bf1", USBIP_OK, USBIP_XFER_OK, 700 * PIECE);
	ok(e.n == 512, "%u pieces at once, not more", e.n);
	forget_words();
	bring("f1@0+1168", PIECE);
	ok(said("f1@598016+1168"), "one for one");
	end();
}

static void test_ends(void)
{
	begin();
	submit(7, OUT, 2000);
	answer_as("s1@0+1168", USBIP_GONE, 0, 0);
	ok(e.why == USBIP_GONE, "a piece may hear that the session has ended");
	end();
}

static void test_isoc(void)
{
	const struct isoc_stats *n;

	begin();
	n = &port_isoc(port)->stats;
	submit_isoc(1, 8, 9000);
	ok(said("=1:ENOMEM/0"), "one that fits no datagram is refused");
	for (uint64_t id = 2; id < 6; id++)
		submit_isoc(id, 8, 1024);
	ok(said("i1 i2 i3 i4") && e.calls[0].how == RPCCLNT_ONCE &&
	   e.calls[0].timeout && e.calls[3].timeout == e.calls[0].timeout + 3,
	   "others go whole, once, and as long as they take");
	answer_isoc("i2", 8);
	ok(said(""), "an answer that comes early waits for its turn");
	answer_isoc("i1", 8);
	ok(said("=2:ok/0 =3:ok/0") && !n->lost, "and has it then");
	submit_isoc(12, 8, 1024);
	answer_isoc("i4", 8);
	answer_isoc("i5", 8);
	ok(said("i5"), "two wait");
	wait_for_words();
	ok(said("=4:ok/0 =5:ok/0 =12:ok/0") && last.n_packets == 8 &&
	   n->lost == 8 && !n->failed && !last.packets[7].status,
	   "but not for long: it is lost, and counted as such");
	answer_isoc("i3", 8);
	ok(said(""), "the answer that comes all the same is dropped");
	submit_isoc(5, 8, 1024);
	end_as("i6", RPC_TIMEDOUT);
	ok(said("i6 =5:ok/0") && last.n_packets == 8 &&
	   last.packets[7].status == -EXDEV && !last.packets[7].length &&
	   n->lost == 16, "nothing comes any more: its packets were not moved");
	submit_isoc(6, 8, 1024);
	answer_isoc("i7", 8);
	ok(said("i7 =6:ok/0"), "and it goes on");
	submit_isoc(13, 8, 1024);
	submit_isoc(14, 8, 1024);
	submit_isoc(15, 8, 1024);
	answer_isoc_as("i9", 8, USBIP_XFER_LATE);
	port_unlink(port, 15);
	answer_isoc("i10", 8);
	run(100);
	ok(said("i8 i9 i10 x10 =15:ok/0") && n->lost == 16,
	   "what was late, or unlinked, overtakes nothing");
	answer_isoc("i8", 8);
	ok(said("=13:ok/0 =14:ok/0") && n->late == 8, "and then has its turn");
	submit_isoc(7, 8, 1024);
	submit_isoc(8, 8, 1024);
	answer_isoc("i12", 8);
	lose_connection();
	restore_connection();
	answer_isoc("i11", 8);
	answer_isoc("i12", 8);
	ok(said("i11 i12 i11 i12 =7:ok/0 =8:ok/0"),
	   "what waited when the connection ended is asked for again");
	end();
}

int main(void)
{
	base = event_base_new();
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	test_whole();
	test_staged();
	test_no_room();
	test_fetched();
	test_unlinked();
	test_reconnect();
	test_narrower();
	test_many();
	test_ends();
	test_isoc();
	event_base_free(base);
	return tap_done();
}
