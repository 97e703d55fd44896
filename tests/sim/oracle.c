// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oracle - what may be, and what may not. The properties are the first
 * argument of each sim_check(), and in README.
 */
#include "tests/sim/oracle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define URBS		2048
#define SPARE		64	/* that enumeration alone can have */
#define NUMBERS		2048

/* One row of the attachment that there is. */
struct line {
	uint32_t first, last;		/* seq: before it all are back; newest */
	uint32_t begun;			/* the last that something came of */
	struct oracle_urb *stop;	/* the last one that ended badly */
	struct oracle_urb *urbs[NUMBERS];
	bool unlinked[NUMBERS];		/* by number */
};

static struct oracle_urb urbs[URBS];
static unsigned int n_urbs, n_outstanding;
static unsigned int generation, claimed;
static struct line lines[ORACLE_ROWS];
static struct oracle_urb *state;
static uint64_t state_ended;		/* the last one was given back then */
static uint64_t excused;	/* until then the target may end it all */

/* Of streams: two bulk endpoints have them, one for each direction. */
static struct line *find_line(uint8_t endpoint, uint16_t stream)
{
	bool in = endpoint & 0x80;

	if (stream)
		return &lines[31 + stream + (in ? ORACLE_STREAMS : 0)];
	return &lines[(endpoint & 0xf) | (in ? 16 : 0)];
}

static struct line *line_of(const struct oracle_urb *u)
{
	return find_line(u->endpoint, u->stream);
}

void oracle_begin(void)
{
	memset(urbs, 0, n_urbs * sizeof(*urbs));
	n_urbs = n_outstanding = 0;
	generation = claimed = 0;
	memset(lines, 0, sizeof(lines));
	state = NULL;
	state_ended = excused = 0;
}

void oracle_excuse(uint64_t until)
{
	excused = until;
}

void oracle_claimed(void)
{
	claimed = generation;
}

unsigned int oracle_outstanding(void)
{
	return n_outstanding;
}

bool oracle_is_full(void)
{
	return n_urbs >= URBS - SPARE;
}

struct oracle_urb *oracle_submit(enum oracle_kind kind, uint8_t endpoint,
				 uint16_t stream, uint32_t length)
{
	struct line *line = find_line(endpoint, stream);
	struct oracle_urb *u;

	if (n_urbs == URBS || (kind != ORACLE_STATE && oracle_is_full()))
		return NULL;
	u = &urbs[n_urbs++];
	u->id = n_urbs;
	u->kind = kind;
	u->generation = generation;
	u->endpoint = endpoint;
	u->stream = stream;
	u->length = length;
	u->since = sim_now;
	u->seq = ++line->last;
	line->urbs[u->seq] = u;
	n_outstanding++;
	if (kind == ORACLE_STATE)
		state = u;
	return u;
}

struct oracle_urb *oracle_find(uint64_t id)
{
	return id && id <= n_urbs ? &urbs[id - 1] : NULL;
}

struct oracle_urb *oracle_find_seq(uint8_t endpoint, uint16_t stream,
				   uint32_t seq)
{
	return seq < NUMBERS ? find_line(endpoint, stream)->urbs[seq] : NULL;
}

struct oracle_urb *oracle_find_state(void)
{
	return state;
}

uint8_t oracle_byte(const struct oracle_urb *u, uint32_t at)
{
	return (uint8_t)(u->id * 37 + at * 11 + at / 256 +
			 (u->in ? u->attempts * 101 : 0));
}

/* ---- the device --------------------------------------------------------- */

void oracle_unlink_came(uint8_t endpoint, uint16_t stream, uint32_t number)
{
	if (number < NUMBERS && claimed == generation)
		find_line(endpoint, stream)->unlinked[number] = true;
}

static void check_order(const struct oracle_urb *u, const struct line *line)
{
	const struct oracle_urb *before;

	sim_check(u->seq > line->begun, "order",
		  "URB %" PRIu64 ", %02x.%u, runs after %02x.%u", u->id,
		  u->endpoint, u->seq, u->endpoint, line->begun);
	for (uint32_t seq = line->first; seq < u->seq; seq++) {
		before = line->urbs[seq];
		if (!before)
			continue;
		sim_check(!before->at_device || !before->short_not_ok,
			  "stop: nothing runs behind what may be short",
			  "URB %" PRIu64 " behind %" PRIu64, u->id, before->id);
	}
}

static void check_stop(const struct oracle_urb *u, const struct line *line)
{
	const struct oracle_urb *stop = line->stop;

	sim_check(!stop || u->seq <= stop->seq || stop->handled,
		  "stop: the driver's handler first",
		  "URB %" PRIu64 " runs, but %" PRIu64 " has failed and is not "
		  "handled", u->id, stop ? stop->id : 0);
	sim_check(!u->because || !u->because->attempts ||
		  u->because->at_device,
		  "stop: what the handler has unlinked does not run",
		  "URB %" PRIu64 " was unlinked when %" PRIu64 " had failed",
		  u->id, u->because ? u->because->id : 0);
}

void oracle_attempt(struct oracle_urb *u, uint32_t number)
{
	struct line *line;

	sim_check(u, "only what was submitted runs", "number %u", number);
	sim_note("               device: URB %" PRIu64 ", %02x.%u as #%u",
		 u->id, u->endpoint, u->seq, number);
	sim_check(u->generation == claimed,
		  "after the end of its session nothing runs",
		  "URB %" PRIu64 " of attachment %u in that of %u", u->id,
		  u->generation, claimed);
	sim_check(!u->effects && !u->at_device, "executed at most once",
		  "URB %" PRIu64 ", %02x.%u", u->id, u->endpoint, u->seq);
	u->attempts++;
	u->at_device = true;
	/* an old attachment's rows are not there any more */
	if (u->generation != generation)
		return;
	sim_check(!u->given_back || u->forced,
		  "nothing runs that was given back", "URB %" PRIu64, u->id);
	line = line_of(u);
	sim_check(number >= NUMBERS || !line->unlinked[number],
		  "an UNLINK that has come is obeyed",
		  "URB %" PRIu64 ", #%u", u->id, number);
	check_order(u, line);
	if (!u->forced)
		check_stop(u, line);
	if (line->stop == u)
		line->stop = NULL;
}

static bool is_stop(const struct oracle_urb *u)
{
	if (u->kind != ORACLE_DATA)
		return false;
	return u->status || (u->short_not_ok && u->actual < u->length);
}

void oracle_ended(struct oracle_urb *u, int status, uint32_t actual)
{
	struct line *line = line_of(u);

	sim_note("               device: URB %" PRIu64 " ends: %d, %u bytes",
		 u->id, status, actual);
	u->at_device = false;
	u->status = status;
	u->actual = actual;
	if (!status || actual)
		u->effects++;
	if (u->generation != generation)
		return;
	if (u->effects && line->begun < u->seq)
		line->begun = u->seq;
	/* behind a failure, what has done nothing is to be repeated */
	if (is_stop(u) && (!line->stop || line->stop->handled ||
			   u->seq < line->stop->seq))
		line->stop = u;
}

/* ---- the driver --------------------------------------------------------- */

void oracle_unlink(struct oracle_urb *u, struct oracle_urb *because)
{
	sim_note("driver: unlinks URB %" PRIu64, u->id);
	u->unlinked = true;
	if (because && because->stream == u->stream && because->seq < u->seq)
		u->because = because;
}

/* Has it met a state call, which ends what is in its way? */
static bool met_state_call(const struct oracle_urb *u)
{
	return state && state != u && (!state->given_back ||
				       state_ended >= u->since);
}

/* Without having run: may it be, and with that status? */
static bool may_be_unexecuted(const struct oracle_urb *u, int status)
{
	if (u->effects)
		return false;
	if (status == -ECONNRESET)
		return true;
	if (status == -EINVAL)	/* streams came or went meanwhile */
		return met_state_call(u);
	return status == -ESHUTDOWN && sim_now < excused;
}

/* What is read ahead has been submitted long before what it answers. */
static bool may_have_met_state_call(const struct oracle_urb *u)
{
	return met_state_call(u) || (sim_weather.isoc_ms && u->in && state);
}

static void check_isoc(const struct oracle_urb *u, int status)
{
	const struct line *line = line_of(u);

	sim_check(!status || u->unlinked || may_have_met_state_call(u) ||
		  sim_now < excused,
		  "an isochronous URB is well, or cancelled",
		  "URB %" PRIu64 ": %d", u->id, status);
	if (status || u->unlinked)
		return;
	for (uint32_t seq = line->first; seq < u->seq; seq++)
		sim_check(!line->urbs[seq] || line->urbs[seq]->given_back ||
			  line->urbs[seq]->unlinked,
			  "an endpoint's URBs end in order",
			  "URB %" PRIu64 " before %" PRIu64, u->id,
			  line->urbs[seq]->id);
}

static void check_result(const struct oracle_urb *u, int status,
			 uint32_t actual)
{
	if (u->kind == ORACLE_LOCAL)
		return;
	if (u->kind == ORACLE_ISOC) {
		check_isoc(u, status);
		return;
	}
	if (status == -ECONNRESET && !actual)
		sim_check(u->unlinked || met_state_call(u) || sim_now < excused,
			  "only what is unlinked is cancelled", "URB %" PRIu64,
			  u->id);
	if (!status)
		sim_check(u->effects, "success is what has happened",
			  "URB %" PRIu64 ", %02x.%u, did not run", u->id,
			  u->endpoint, u->seq);
	if (u->attempts && status == u->status && actual == u->actual)
		return;
	/* how it fails without its device says nothing */
	if (u->attempts && status == -ESHUTDOWN && u->status &&
	    actual == u->actual)
		return;
	sim_check(may_be_unexecuted(u, status) && !actual,
		  "the driver is told the device's own result",
		  "URB %" PRIu64 ": %d, %u bytes instead of %d, %u", u->id,
		  status, actual, u->status, u->actual);
}

static void check_data(const struct oracle_urb *u, uint32_t actual,
		       const uint8_t *data)
{
	for (uint32_t i = 0; data && i < actual; i++)
		sim_check(data[i] == oracle_byte(u, i),
			  "IN bytes at the driver equal the device's",
			  "URB %" PRIu64 ", byte %u of %u", u->id, i, actual);
}

static void check_completions(const struct oracle_urb *u)
{
	const struct line *line = line_of(u);
	const struct oracle_urb *before;

	if (!u->effects || u->kind != ORACLE_DATA || u->unlinked)
		return;
	for (uint32_t seq = line->first; seq < u->seq; seq++) {
		before = line->urbs[seq];
		if (!before)
			continue;
		sim_check(before->given_back || !before->effects,
			  "an endpoint's URBs end in order",
			  "URB %" PRIu64 " before %" PRIu64, u->id, before->id);
	}
}

static bool is_back(const struct oracle_urb *u)
{
	return !u || u->given_back;
}

void oracle_given_back(struct oracle_urb *u, int status, uint32_t actual,
		       const uint8_t *data)
{
	struct line *line;

	sim_check(u && u->generation == generation,
		  "what is given back was submitted", "status %d", status);
	sim_note("driver: URB %" PRIu64 " is back: %d, %u bytes", u->id, status,
		 actual);
	sim_check(!u->given_back, "given back exactly once", "URB %" PRIu64,
		  u->id);
	sim_check(!u->at_device, "what runs is not given back",
		  "URB %" PRIu64, u->id);
	check_result(u, status, actual);
	if (u->in && u->kind != ORACLE_LOCAL && u->kind != ORACLE_ISOC)
		check_data(u, actual, data);
	check_completions(u);
	u->given_back = true;
	n_outstanding--;
	if (u->kind == ORACLE_STATE)
		state_ended = sim_now;
	line = line_of(u);
	while (line->first < line->last && is_back(line->urbs[line->first]))
		line->first++;
}

void oracle_handled(struct oracle_urb *u)
{
	u->handled = true;
}

void oracle_unplugged(void)
{
	for (unsigned int i = 0; i < n_urbs; i++) {
		struct oracle_urb *u = &urbs[i];

		if (u->given_back || u->generation != generation)
			continue;
		u->given_back = u->forced = u->handled = true;
		n_outstanding--;
	}
	generation++;
	memset(lines, 0, sizeof(lines));
}

void oracle_end(void)
{
	sim_check(!n_outstanding, "every URB ends", "%u did not",
		  n_outstanding);
	for (unsigned int i = 0; i < n_urbs; i++)
		sim_check(!urbs[i].at_device, "nothing is left at the device",
			  "URB %" PRIu64, urbs[i].id);
}
