// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The row of one endpoint by tables: what comes in, and what must come out.
 *
 * In, separated by blanks:
 *   sN sN/A      submit number N, with acked A (else what was acked last)
 *   nN           the same with short_not_ok
 *   iN           the same, but its arguments make no sense
 *   tN rN        the same, a device-state call; RESET
 *   gN gN:L      the same, staged, with L bytes; oN: with data, to be sent out
 *   pN:O+L       L bytes of data, at O, for N
 *   fN           FETCH of N
 *   aN           replies up to N have arrived
 *   uN           UNLINK
 *   dN dN:X      the device is done with N; X: stall, io, overflow, short, and
 *                cancelled, each with no byte; cut: cancelled with 8 of them
 *   hold release end run
 *   full         the device has no room for the next start
 * Out:
 *   >N started   xN cancelled   N=X answered   N~ that caller was superseded
 *   stale delay inval  what the submit or the UNLINK itself got
 *   busy data    what the FETCH got, beside these
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/endpoint.h"
#include "tests/tap.h"

#define LENGTH 64

struct row_test {
	const char *name, *in, *out;
	enum urb_type type;
	uint32_t first;			/* N of the first number, 0: 1 */
	unsigned int max_urbs;		/* 0: many */
	size_t max_bytes;		/* 0: many */
};

#define BULK .type = URB_TYPE_BULK
#define CONTROL .type = URB_TYPE_CONTROL
#define INTERRUPT .type = URB_TYPE_INTERRUPT
#define ISOC .type = URB_TYPE_ISOC

static const struct row_test tests[] = {
	/* order */
	{ "in order", "s1 s2 d1 d2", ">1 >2 1=ok 2=ok", BULK },
	{ "the second comes first", "s2 s1 d1 d2", ">1 >2 1=ok 2=ok", BULK },
	{ "out of order, with a hole", "s4 s2 s1 d1 s3 d2 d3 d4",
	  ">1 >2 1=ok >3 >4 2=ok 3=ok 4=ok", BULK },
	{ "completions in any order", "s1 s2 s3 d2 d3 d1",
	  ">1 >2 >3 2=ok 3=ok 1=ok", BULK },
	{ "a refused number is used up", "i1 s2 d2", "1=inval >2 2=ok", BULK },
	{ "a refused number keeps its turn", "s2 i1", "1=inval >2", BULK },
	{ "a refused number before the hole", "i2 s1 s3",
	  "2=inval >1 >3", BULK },

	/* duplicates */
	{ "a duplicate while running takes over", "s1 s1 d1",
	  ">1 1~ 1=ok", CONTROL },
	{ "a duplicate while queued takes over", "s2 s2 s1 d1 d2",
	  "2~ >1 >2 1=ok 2=ok", BULK },
	{ "a duplicate of what is done gets the reply again", "s1 d1 s1 s1",
	  ">1 1=ok 1=ok 1=ok", BULK },
	{ "a duplicate of what was refused", "i1 s1", "1=inval 1=inval", BULK },
	{ "a duplicate of what was acknowledged", "s1 d1 a1 s1",
	  ">1 1=ok stale", BULK },
	{ "a duplicate with its own acknowledgement", "s1 d1 s2/1 s1 s2 d2",
	  ">1 1=ok >2 stale 2~ 2=ok", BULK },
	{ "never executed twice, whatever comes", "s1 s2 s1 s2 d1 d2 s1 s2",
	  ">1 >2 1~ 2~ 1=ok 2=ok 1=ok 2=ok", BULK },

	/* acknowledgement */
	{ "an ack of what is not done is not believed", "s1 a1 s1/0 d1 s1",
	  ">1 1~ 1=ok 1=ok", BULK },
	{ "an ack of what was never seen is not believed", "a7 s1 d1",
	  ">1 1=ok", BULK },
	{ "an ack is as good as what it covers", "s1 s2 d2 a2 s1 d1 a2 s1 s2",
	  ">1 >2 2=ok 1~ 1=ok stale stale", BULK },
	{ "an old ack changes nothing", "s1 d1 s2/1 d2 a0 s2",
	  ">1 1=ok >2 2=ok 2=ok", BULK },

	/* stop */
	{ "stops at a stall", "s1 d1:stall s2 a1 d2",
	  ">1 1=stall >2 2=ok", BULK },
	{ "stops at an error, for interrupt too", "s1 d1:io s2 s3 a1 d2 d3",
	  ">1 1=io >2 >3 2=ok 3=ok", INTERRUPT },
	{ "goes on by the next submit's ack", "s1 d1:stall s2/1",
	  ">1 1=stall >2", BULK },
	{ "control does not stop", "s1 d1:stall s2 d2",
	  ">1 1=stall >2 2=ok", CONTROL },
	{ "short is no stop", "s1 d1:short s2", ">1 1=ok >2", BULK },
	{ "short is one where it is not ok", "n1 s2 d1:short s3 a1",
	  ">1 1=ok >2 >3", BULK },
	{ "nothing goes behind what must not be short", "n1 s2 d1",
	  ">1 1=ok >2", BULK },
	{ "what is behind a stall is taken back and done later",
	  "s1 s2 s3 d1:stall d3:cancelled d2:cancelled a1 d2 d3",
	  ">1 >2 >3 x3 x2 1=stall >2 >3 2=ok 3=ok", BULK },
	{ "nothing goes on before the last is taken back",
	  "s1 s2 s3 d1:stall d3:cancelled a1 s4 d2:cancelled d2",
	  ">1 >2 >3 x3 x2 1=stall >2 >3 >4 2=ok", BULK },
	{ "what stalled behind a stall is done later",
	  "s1 s2 d1:stall d2:stall a1 d2", ">1 >2 x2 1=stall >2 2=ok", BULK },
	{ "what was done behind a stall is done",
	  "s1 s2 d1:stall d2 a1", ">1 >2 x2 1=stall 2=ok", BULK },
	{ "what was half done behind a stall is not done again",
	  "s1 s2 d1:stall d2:cut a1 a2", ">1 >2 x2 1=stall 2=cut", BULK },
	{ "the first of two stops counts", "s1 s2 s3 d2:io d3:cancelled d1 s4 a1 a2",
	  ">1 >2 >3 x3 2=io 1=ok >3 >4", BULK },
	{ "a stop does not hold what comes before it",
	  "s2 u2 s1 d1 s3 a1 a2", "2=cancelled >1 1=ok >3", BULK },
	{ "UNLINK of what was taken back ends it",
	  "s1 s2 d1:stall u2 d2:cancelled a1 s3 a2",
	  ">1 >2 x2 1=stall 2=cancelled >3", BULK },

	/* unlink */
	{ "UNLINK of what runs", "s1 u1 d1:cancelled", ">1 x1 1=cancelled", BULK },
	{ "UNLINK twice cancels once", "s1 u1 u1 d1:cancelled",
	  ">1 x1 1=cancelled", BULK },
	{ "UNLINK too late", "s1 d1 u1", ">1 1=ok", BULK },
	{ "UNLINK, and it ends by itself", "s1 u1 d1", ">1 x1 1=ok", BULK },
	{ "UNLINK of what moved something", "s1 u1 d1:cut", ">1 x1 1=cut", BULK },
	{ "UNLINK of what waits", "s2 u2 s1 d1 s2",
	  "2=cancelled >1 1=ok 2=cancelled", BULK },
	{ "UNLINK before its submit", "u1 s1 s2 s1",
	  "1=cancelled 1=cancelled", BULK },
	{ "an early UNLINK stops like any other", "u1 s1 s2 a1",
	  "1=cancelled >2", BULK },
	{ "UNLINK before its submit, which is not awaited", "u1 s2 d2 s1",
	  ">2 2=ok 1=cancelled", BULK },
	{ "UNLINK before its submit, in the middle", "s1 u2 s3 s2 d1",
	  ">1 >3 2=cancelled 1=ok", BULK },
	{ "an early UNLINK is no reply to acknowledge", "u1 a1 s1",
	  "1=cancelled", BULK },
	{ "UNLINK of what was acknowledged", "s1 d1 a1 u1 s2",
	  ">1 1=ok >2", BULK },

	{ "UNLINK so early that its submit could not come", "u4 u3 s1 d1",
	  "inval >1 1=ok", BULK, .max_urbs = 3 },

	/* window */
	{ "more than the window", "s1 s2 s3", ">1 >2 delay", BULK, .max_urbs = 2 },
	{ "the submit of an early UNLINK waits for room",
	  "s1 s2 u3 s3 d1 a1 s3 d2", ">1 >2 delay 1=ok 3=cancelled 2=ok", BULK,
	  .max_bytes = 2 * LENGTH },
	{ "there is room for as many early UNLINKs", "u2 u3 u4 s1 d1",
	  "inval >1 1=ok", BULK, .max_urbs = 3 },
	{ "the window opens by acks, not by replies", "s1 s2 d1 s3 s3/1",
	  ">1 >2 1=ok delay >3", BULK, .max_urbs = 2 },
	{ "a delayed number is not used up", "s1 s2 d1 s2/1 d2",
	  ">1 delay 1=ok >2 2=ok", BULK, .max_urbs = 1 },
	{ "the oldest is let in whatever is queued", "s3 s2 s1 d1",
	  ">1 >2 >3 1=ok", BULK, .max_urbs = 2 },
	{ "one is always let in", "s1 d1", ">1 1=ok", BULK, .max_bytes = 1 },
	{ "bytes count, too", "s1 s2 d1 s2/1", ">1 delay 1=ok >2", BULK,
	  .max_bytes = LENGTH },

	/* numbers wrap */
	{ "over 2^32 in order", "s1 s2 s3 d1 d2 d3", ">1 >2 >3 1=ok 2=ok 3=ok",
	  BULK, .first = UINT32_MAX },
	{ "over 2^32 out of order", "s3 s2 s1 d1 a1 s1 d2 d3",
	  ">1 >2 >3 1=ok stale 2=ok 3=ok", BULK, .first = UINT32_MAX },
	{ "over 2^32, UNLINK", "u2 s1 s2 s3 a1", ">1 2=cancelled", BULK,
	  .first = UINT32_MAX },

	/* state calls, holding, the end */
	{ "a state call waits for what is before it", "s1 t2 s3 d1 d2 d3",
	  ">1 1=ok >2 2=ok >3 3=ok", CONTROL },
	{ "a reset does not wait for what hangs", "s1 s3 r2 d1:cancelled d2 d3",
	  ">1 x1 1=cancelled >2 2=ok >3 3=ok", CONTROL },
	{ "nor for what waits in front of it", "s2 r3 s1 d1 d3",
	  "2=cancelled >1 1=ok >3 3=ok", CONTROL },
	{ "but for another state call", "t1 r2 d1 d2", ">1 1=ok >2 2=ok",
	  CONTROL },
	{ "a state call is not cancelled", "t1 u1 d1", ">1 1=ok",
	  CONTROL },
	{ "held, then released", "hold s1 s2 release", ">1 >2", BULK },
	{ "what runs is cancelled to be held", "s1 s2 hold d2:cancelled d1:cancelled s3 release",
	  ">1 >2 x2 x1 2=cancelled 1=cancelled", BULK },
	{ "unlinked and acknowledged while held", "hold s1 u1 a1 s2 release",
	  "1=cancelled >2", BULK },
	{ "the end", "s1 s2 s4 end d1:cancelled d2 s5",
	  ">1 >2 4=cancelled x2 x1 1=cancelled 2=ok", BULK },
	{ "nothing is taken up again after the end", "s1 s2 d1:stall end d2:cancelled",
	  ">1 >2 x2 1=stall 2=cancelled", BULK },

	/* isochronous: nobody waits for a missing number */
	{ "isochronous, in order", "s1 s2 d1 d2", ">1 >2 1=ok 2=ok", ISOC },
	{ "a hole is gone over", "s1 s3 s4 d1 d3 d4",
	  ">1 >3 >4 1=ok 3=ok 4=ok", ISOC },
	{ "what fills it is late", "s2 s1 d2", ">2 1=late 2=ok", ISOC },
	{ "late once is late again", "s2 s1 s1 d2", ">2 1=late 1=late 2=ok",
	  ISOC },
	{ "a hole is acknowledged with what is behind it", "s2 d2 a2 s1 s3",
	  ">2 2=ok stale >3", ISOC },
	{ "what its caller has given up is not executed", "s2 d2 a4 s3 s4 s5",
	  ">2 2=ok stale stale >5", ISOC },
	{ "nor is it in the way of others", "s1 d1 a2 s3 a4 s5 d3 d5",
	  ">1 1=ok >3 >5 3=ok 5=ok", ISOC },
	{ "what runs is acknowledged when it has ended", "s1 s3 d3 a3 s3 d1 s1 s3",
	  ">1 >3 3=ok 3=ok 1=ok stale stale", ISOC },
	{ "what waits does so no longer", "hold s2 s3 a2 s2 release d3",
	  "2=cancelled stale >3 3=ok", ISOC },
	{ "an UNLINK, and its submit is lost", "s1 d1 u2 s3 d3 a3 u2 s2 s4",
	  ">1 1=ok >3 3=ok stale >4", ISOC },
	{ "the window has room again then", "s1 d1 u2 s4 a3 s5 d4 a4 s5 s6 s7",
	  ">1 1=ok >4 >5 4=ok 5~ >6 delay", ISOC, .max_urbs = 2 },
	{ "an error does not stop", "s1 s2 d1:io s3", ">1 >2 1=io >3", ISOC },
	{ "UNLINK before its submit, which is gone over", "u1 s2 s1 d2",
	  ">2 1=cancelled 2=ok", ISOC },
	{ "UNLINK in between", "hold u3 s2 s4 release d2 d4",
	  ">2 >4 2=ok 4=ok", ISOC },
	{ "UNLINK behind a hole", "s3 u2 s4 s2", ">3 >4 2=cancelled", ISOC },
	{ "held with a hole", "hold s2 s4 release s3", ">2 >4 3=late", ISOC },
	{ "no room, with a hole", "full s2 s3 run d2 d3",
	  ">2 >3 2=ok 3=ok", ISOC },
	{ "over 2^32 with a hole", "s1 s3 s2", ">1 >3 2=late", ISOC,
	  .first = UINT32_MAX },

	/* pieces */
	{ "pieces, then the submit", "p1:0+40 p1:40+24 g1 d1", ">1 1=ok", BULK },
	{ "the submit, then pieces", "g1 p1:40+24 p1:0+40 d1", ">1 1=ok", BULK },
	{ "pieces before and after it", "p1:40+24 g1 p1:0+40 d1", ">1 1=ok",
	  BULK },
	{ "a gap is a gap, however often the rest comes",
	  "p1:0+40 g1 p1:0+40 p1:20+40 p1:63+1 p1:0+59 p1:60+3 d1", ">1 1=ok",
	  BULK },
	{ "a gap of a byte", "p1:0+11 p1:12+52 g1 p1:11+1", ">1", BULK },
	{ "staged, of no byte", "g1:0 d1", ">1 1=ok", BULK },
	{ "pieces for what has data are not needed",
	  "p1:0+8 s1 p1:0+64 d1 p1:0+64 a1 p1:0+64", ">1 1=ok stale", BULK },
	{ "what is staged holds up what is behind it", "g1 s2 p1:0+64 s3",
	  ">1 >2 >3", BULK },
	{ "so do pieces alone", "p1:0+64 s2 g1", ">1 >2", BULK },
	{ "pieces in the middle", "p2:0+64 s1 s3 g2", ">1 >2 >3", BULK },
	{ "a piece outside of the data", "g1 p1:60+5 p1:0+64", "inval >1", BULK },
	{ "pieces outside of what comes then", "p1:60+5 g1 p1:0+64 s2",
	  "1=inval >2", BULK },
	{ "more than was thought", "p1:64+1 g1:100 p1:0+64 p1:65+35", ">1",
	  BULK },
	{ "a duplicate takes over, and waits as well", "g1 g1 p1:0+64 d1",
	  "1~ >1 1=ok", BULK },
	{ "one that has the data ends the wait", "g1 p1:0+9 o1 p1:20+4 d1",
	  "1~ >1 1=ok", BULK },
	{ "unless it is not the same", "g1:70 o1 p1:0+70 d1", "1~ >1 1=ok",
	  BULK },
	{ "what has data waits for none", "s1 o2 g2 d1 d2",
	  ">1 >2 1=ok 2=ok 2~", BULK },
	{ "UNLINK with pieces missing", "g1 p1:0+9 u1 p1:9+55 s2 a1",
	  "1=cancelled >2", BULK },
	{ "UNLINK of pieces alone", "p1:0+9 u1 p1:9+55 g1 s2 a1",
	  "1=cancelled >2", BULK },
	{ "UNLINK, then pieces", "u1 p1:0+64 g1 p1:0+64", "1=cancelled", BULK },
	{ "held with pieces missing", "g1 s2 hold p1:0+64 release a1",
	  "1=cancelled >2", BULK },
	{ "held with all there", "hold g1 p1:0+64 release", ">1", BULK },
	{ "a reset with pieces missing", "g1 p1:0+9 r2 d2", "1=cancelled >2 2=ok",
	  CONTROL },
	{ "the end with pieces missing", "s1 d1 g2 p2:0+9 p3:0+64 end",
	  ">1 1=ok 2=cancelled", BULK },
	{ "taken back, it needs no pieces again",
	  "s1 g2 p2:0+64 d1:stall d2:cancelled a1 d2",
	  ">1 >2 x2 1=stall >2 2=ok", BULK },
	{ "pieces count in the window", "s1 p2:0+64 p2:64+1 p3:0+64 p4:0+63 p5:0+1",
	  ">1 delay delay", BULK, .max_bytes = 3 * LENGTH },
	{ "by where the last one ends", "s1 p2:127+1 p3:0+1 p2:0+127 g2:128",
	  ">1 delay >2", BULK, .max_bytes = 3 * LENGTH },
	{ "the submit counts once", "s1 p2:0+64 g2 s3 s4", ">1 >2 >3 delay",
	  BULK, .max_bytes = 3 * LENGTH },
	{ "and can be too long for it", "s1 p2:0+64 g2:129 d1 a1 g2:129 p2:64+65",
	  ">1 delay 1=ok >2", BULK, .max_bytes = 3 * LENGTH },
	{ "the oldest is let in, by pieces, too", "p1:0+500 g1:500", ">1", BULK,
	  .max_bytes = 1 },
	{ "pieces for more numbers than the window", "p2:0+1 p3:0+1 s1 s2 s3",
	  "delay >1 >2 delay", BULK, .max_urbs = 2 },
	{ "nobody waits for pieces where nobody waits", "p1:0+64 s2 s1", ">2 1=late",
	  ISOC },
	{ "pieces over 2^32", "p2:0+64 p1:0+64 g2 g1", ">1 >2", BULK,
	  .first = UINT32_MAX },
	{ "FETCH of what is done, until it is acknowledged",
	  "s1 f1 d1 f1 f1 a1 f1", ">1 busy 1=ok data data stale", BULK },
	{ "FETCH of what never came", "f1 p1:0+1 f1 u2 f2", "inval inval inval",
	  BULK },
	{ "FETCH of what was refused", "i1 f1", "1=inval inval", BULK },
	{ "FETCH of isochronous data", "s1 d1 f1", ">1 1=ok inval", ISOC },
	{ "FETCH of what failed half way", "s1 d1:cut f1", ">1 1=cut data", BULK },

	/* back-pressure */
	{ "no room is not a failure, and keeps the order", "full s1 s2 run d1 d2",
	  ">1 >2 1=ok 2=ok", BULK },
};

static const char zeroes[LENGTH];

struct bench {
	struct endpoint ep;
	struct endpoint_window window;
	const struct row_test *test;
	uint32_t base;			/* number of N is base + N */
	uint32_t acked;
	bool full;
	char out[512];
	int calls[64];			/* waiters: &calls[N] */
};

static void put(struct bench *b, const char *format, unsigned int n,
		const char *what)
{
	size_t len = strlen(b->out);

	len += snprintf(b->out + len, sizeof(b->out) - len, "%s", len ? " " : "");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(b->out + len, sizeof(b->out) - len, format, n, what);
#pragma GCC diagnostic pop
}

/* Does what is to go out say where it belongs? */
static bool is_right(const struct urb *urb)
{
	for (uint32_t i = 0; i < urb->length; i++)
		if (urb_data(urb)[i] != (uint8_t)(urb->number + i))
			return false;
	return true;
}

static int start(struct urb *urb, void *user)
{
	struct bench *b = user;

	if (urb->staged && (urb_alloc(urb) || (!urb->out && !is_right(urb))))
		put(b, "%u=wrong", urb->number - b->base, NULL);
	if (b->full) {
		b->full = false;
		return -EAGAIN;
	}
	put(b, ">%u", urb->number - b->base, NULL);
	return 0;
}

static void cancel(struct urb *urb, void *user)
{
	struct bench *b = user;

	put(b, "x%u", urb->number - b->base, NULL);
}

static const char *name_of(const struct urb *urb)
{
	if (urb->verdict == URB_VERDICT_INVAL)
		return "inval";
	if (urb->n_packets && urb->packets[0].xfer == URB_XFER_LATE)
		return "late";
	switch (urb->xfer) {
	case URB_XFER_OK:
		return "ok";
	case URB_XFER_STALL:
		return "stall";
	case URB_XFER_IO:
		return "io";
	case URB_XFER_OVERFLOW:
		return "overflow";
	case URB_XFER_CANCELLED:
		return urb->actual ? "cut" : "cancelled";
	case URB_XFER_SHUTDOWN:
	case URB_XFER_NO_MEMORY:
	case URB_XFER_LATE:
	case URB_XFER_MISSED:
		break;
	}
	return "?";
}

static void answer(struct urb *urb, void *user)
{
	struct bench *b = user;

	put(b, "%u=%s", urb->number - b->base, name_of(urb));
}

static void superseded(void *waiter, void *user)
{
	struct bench *b = user;

	put(b, "%u~", (unsigned int)((int *)waiter - b->calls), NULL);
}

static const struct endpoint_ops ops = { start, cancel, answer, superseded };

static struct urb *find(struct bench *b, unsigned int n)
{
	struct urb *urb;

	TAILQ_FOREACH(urb, &b->ep.row, link)
		if (urb->number == b->base + n)
			return urb;
	return NULL;
}

static void note_taken(struct bench *b, enum endpoint_taken taken)
{
	switch (taken) {
	case ENDPOINT_TAKEN:
		break;
	case ENDPOINT_STALE:
		put(b, "stale", 0, NULL);
		break;
	case ENDPOINT_DELAY:
		put(b, "delay", 0, NULL);
		break;
	case ENDPOINT_INVAL:
		put(b, "inval", 0, NULL);
		break;
	case ENDPOINT_IN_PROGRESS:
		put(b, "busy", 0, NULL);
		break;
	}
}

static void submit(struct bench *b, char kind, char *text)
{
	static const uint32_t packet = LENGTH;
	struct urb *urb = urb_new();
	char *slash;
	unsigned int n = strtoul(text, &slash, 10);

	urb->length = LENGTH;
	if (*slash == '/')
		b->acked = b->base + strtoul(slash + 1, NULL, 10);
	else if (*slash == ':')
		urb->length = strtoul(slash + 1, NULL, 10);
	urb->type = kind == 'r' ? URB_TYPE_RESET :
		    kind == 't' ? URB_TYPE_SET_CONFIGURATION : b->test->type;
	urb->address = kind == 'g' || kind == 'o' ? 0x01 : 0x81;
	urb->number = b->base + n;
	urb->staged = kind == 'g';
	if (kind == 'o')
		urb->out = (const uint8_t *)zeroes;
	if (urb_is_state_call(urb))
		urb->length = 0;
	urb->short_not_ok = kind == 'n';
	if (urb->type == URB_TYPE_ISOC)
		urb_set_packets(urb, &packet, 1);
	if (kind == 'i')
		urb->verdict = URB_VERDICT_INVAL;
	urb->waiter = &b->calls[n];
	endpoint_ack(&b->ep, b->acked);
	note_taken(b, endpoint_submit(&b->ep, urb));
}

static void stage(struct bench *b, char *text)
{
	uint32_t number = b->base + strtoul(text, &text, 10);
	uint32_t offset = strtoul(text + 1, &text, 10);
	uint32_t length = strtoul(text + 1, NULL, 10);
	uint8_t *data = malloc(length);

	for (uint32_t i = 0; i < length; i++)
		data[i] = number + offset + i;
	note_taken(b, endpoint_stage(&b->ep, number, offset, data, length));
	free(data);
}

static void fetch(struct bench *b, unsigned int n)
{
	enum endpoint_taken taken;
	const struct urb *urb;

	taken = endpoint_fetch(&b->ep, b->base + n, &urb);
	note_taken(b, taken);
	if (taken == ENDPOINT_TAKEN)
		put(b, urb->number == b->base + n ? "data" : "wrong", 0, NULL);
}

static bool complete(struct bench *b, char *text)
{
	struct urb *urb = find(b, strtoul(text, &text, 10));

	if (!urb || !urb_at_device(urb))
		return false;
	urb->xfer = URB_XFER_OK;
	urb->actual = urb->length;
	if (*text == ':') {
		urb->actual = !strcmp(text, ":short") || !strcmp(text, ":cut") ? 8 : 0;
		if (!strcmp(text, ":stall"))
			urb->xfer = URB_XFER_STALL;
		else if (!strcmp(text, ":io"))
			urb->xfer = URB_XFER_IO;
		else if (!strcmp(text, ":overflow"))
			urb->xfer = URB_XFER_OVERFLOW;
		else if (strcmp(text, ":short"))
			urb->xfer = URB_XFER_CANCELLED;
	}
	endpoint_done(urb);
	return true;
}

/* false: the table itself is wrong. */
static bool step(struct bench *b, char *word)
{
	if (!strcmp(word, "hold"))
		endpoint_hold(&b->ep);
	else if (!strcmp(word, "release"))
		endpoint_release(&b->ep);
	else if (!strcmp(word, "end"))
		endpoint_end(&b->ep, URB_XFER_CANCELLED);
	else if (!strcmp(word, "run"))
		endpoint_run(&b->ep);
	else if (!strcmp(word, "full"))
		b->full = true;
	else if (*word == 'a')
		endpoint_ack(&b->ep, b->acked = b->base + atoi(word + 1));
	else if (*word == 'd')
		return complete(b, word + 1);
	else if (*word == 'p')
		stage(b, word + 1);
	else if (*word == 'f')
		fetch(b, atoi(word + 1));
	else if (*word != 'u')
		submit(b, *word, word + 1);
	else
		note_taken(b, endpoint_unlink(&b->ep,
					      b->base + atoi(word + 1)));
	return true;
}

/* Whatever is still at the device comes back, so that it can be freed. */
static void drain(struct bench *b)
{
	struct urb *urb;

	endpoint_end(&b->ep, URB_XFER_CANCELLED);
again:
	TAILQ_FOREACH(urb, &b->ep.row, link)
		if (urb_at_device(urb)) {
			urb->xfer = URB_XFER_CANCELLED;
			endpoint_done(urb);
			goto again;
		}
}

static void run(const struct row_test *test)
{
	struct bench b = { .test = test };
	char *in = strdup(test->in), *word, *next, out[512];
	bool good = true;

	b.window.max_urbs = test->max_urbs ? test->max_urbs : 1000;
	b.window.max_bytes = test->max_bytes ? test->max_bytes : 1 << 20;
	endpoint_init(&b.ep, 0x81, &b.window, &ops, &b);
	if (test->first) {
		b.base = test->first - 1;
		b.acked = b.ep.acked = b.base;
		b.ep.next = test->first;
	}
	for (word = strtok_r(in, " ", &next); word;
	     word = strtok_r(NULL, " ", &next))
		good &= step(&b, word);
	strcpy(out, b.out);
	drain(&b);
	endpoint_deinit(&b.ep);
	ok(good && !strcmp(out, test->out) && !b.window.urbs &&
		   !b.window.unlinks && !b.window.bytes,
	   "%s", test->name);
	if (strcmp(out, test->out))
		printf("# in   %s\n# want %s\n# got  %s\n", test->in, test->out, out);
	free(in);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		run(&tests[i]);
	return tap_done();
}
