// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake_uas - a disk that speaks USB Attached SCSI (UAS-1): many
 * commands at once, each with a tag. At super speed a tag is the number of the
 * bulk stream that its data and its status go over; below, the device says by
 * a READ READY or WRITE READY on the status pipe whose data goes next.
 *
 * A task goes WAITING -> [READY ->] [DATA ->] STATUS, and its tag is free when
 * its status was sent. It WAITs 10, 20 or 30 ms, by turns, so that a queue
 * builds up and those behind overtake. RESPONSE takes the place of all that
 * for task management, and for what is no command.
 *
 * Vendor request 0xe5 IN gives three words of 32 bits, little-endian: commands
 * so far, the most at one time, and those that ended before an earlier one.
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend_fake_scsi.h"

#define REQUEST_COUNTS 0xe5

#define EP_COMMAND 0x01
#define EP_STATUS 0x81
#define EP_DATA_IN 0x82
#define EP_DATA_OUT 0x02

/* Of each pipe: 2^5. And so many tags, with streams and without. */
#define STREAMS_LOG 5
#define TAGS (1u << STREAMS_LOG)
#define COMMAND_MS 10

enum uas_iu {
	UAS_IU_COMMAND = 0x01,
	UAS_IU_SENSE = 0x03,
	UAS_IU_RESPONSE = 0x04,
	UAS_IU_TASK_MANAGEMENT = 0x05,
	UAS_IU_READ_READY = 0x06,
	UAS_IU_WRITE_READY = 0x07,
};

#define COMMAND_SIZE 32
#define TASK_MANAGEMENT_SIZE 16
#define SENSE_HEAD 16
#define READY_SIZE 4
#define RESPONSE_SIZE 8

enum uas_response {
	UAS_RESPONSE_COMPLETE = 0x00,
	UAS_RESPONSE_NOT_SUPPORTED = 0x04,
	UAS_RESPONSE_SUCCEEDED = 0x08,
	UAS_RESPONSE_INCORRECT_LUN = 0x09,
	UAS_RESPONSE_OVERLAPPED_TAG = 0x0a,
};

enum uas_function {
	UAS_FUNCTION_ABORT_TASK = 0x01,
	UAS_FUNCTION_ABORT_TASK_SET = 0x02,
	UAS_FUNCTION_CLEAR_TASK_SET = 0x04,
	UAS_FUNCTION_LOGICAL_UNIT_RESET = 0x08,
	UAS_FUNCTION_QUERY_TASK = 0x80,
};

enum task_state {
	TASK_STATE_FREE,
	TASK_STATE_WAITING,	/* until due */
	TASK_STATE_READY,	/* for its data, which it has to announce */
	TASK_STATE_DATA,
	TASK_STATE_STATUS,
	TASK_STATE_RESPONSE,
};

struct task {
	enum task_state state;
	uint64_t due;			/* ms */
	uint32_t serial;		/* in the order that they came */
	enum uas_response response;
	struct scsi_command command;
};

struct uas {
	struct scsi_disk scsi;
	struct task tasks[1 + TAGS];	/* by tag */
	uint32_t n_commands, most, n_overtook;
};

static void set_state(struct task *task, enum task_state next)
{
	task->state = next;
}

static bool has_streams(const struct fake_device *dev)
{
	return dev->streams[endpoint_row(EP_STATUS)];
}

static void respond(struct task *task, enum uas_response response)
{
	task->response = response;
	set_state(task, TASK_STATE_RESPONSE);
}

static bool is_command(const struct task *task)
{
	return task->state != TASK_STATE_FREE &&
	       task->state != TASK_STATE_RESPONSE;
}

/* ---- the command pipe --------------------------------------------------- */

static void begin_command(struct uas *u, struct task *task, const uint8_t *iu)
{
	uint32_t n = 0;

	scsi_run(&u->scsi, &task->command, iu + 16);
	task->serial = u->n_commands++;
	task->due = fake_now_ms() + COMMAND_MS * (1 + task->serial % 3);
	set_state(task, TASK_STATE_WAITING);
	for (unsigned int tag = 1; tag <= TAGS; tag++)
		n += is_command(&u->tasks[tag]);
	if (n > u->most)
		u->most = n;
}

/* All, but for the one that asks for it. */
static void abort_tasks(struct uas *u, const struct task *but)
{
	for (unsigned int tag = 1; tag <= TAGS; tag++)
		if (&u->tasks[tag] != but)
			set_state(&u->tasks[tag], TASK_STATE_FREE);
}

static void manage_tasks(struct uas *u, struct task *task, const uint8_t *iu)
{
	unsigned int tag = iu[6] << 8 | iu[7];
	struct task *other = tag && tag <= TAGS ? &u->tasks[tag] : NULL;

	switch (iu[4]) {
	case UAS_FUNCTION_ABORT_TASK:
		if (other)
			set_state(other, TASK_STATE_FREE);
		break;
	case UAS_FUNCTION_ABORT_TASK_SET:
	case UAS_FUNCTION_CLEAR_TASK_SET:
	case UAS_FUNCTION_LOGICAL_UNIT_RESET:
		abort_tasks(u, task);
		break;
	case UAS_FUNCTION_QUERY_TASK:
		respond(task, other && is_command(other) ?
			UAS_RESPONSE_SUCCEEDED : UAS_RESPONSE_COMPLETE);
		return;
	default:
		respond(task, UAS_RESPONSE_NOT_SUPPORTED);
		return;
	}
	respond(task, UAS_RESPONSE_COMPLETE);
}

/* false: there is no pipe to say what is wrong with it. */
static bool take_iu(struct uas *u, const uint8_t *iu, uint32_t len)
{
	static const uint8_t lun[8];
	unsigned int tag = len >= 4 ? iu[2] << 8 | iu[3] : 0;
	bool command = tag && iu[0] == UAS_IU_COMMAND && len == COMMAND_SIZE;
	struct task *task;

	if (!tag || tag > TAGS)
		return false;
	task = &u->tasks[tag];
	if (!command && (iu[0] != UAS_IU_TASK_MANAGEMENT ||
			 len != TASK_MANAGEMENT_SIZE))
		return false;
	if (task->state != TASK_STATE_FREE)
		respond(task, UAS_RESPONSE_OVERLAPPED_TAG);
	else if (memcmp(iu + 8, lun, sizeof(lun)))
		respond(task, UAS_RESPONSE_INCORRECT_LUN);
	else if (command)
		begin_command(u, task, iu);
	else
		manage_tasks(u, task, iu);
	return true;
}

static bool transfer_iu(struct fake_device *dev, struct urb *urb)
{
	if (take_iu(dev->model_state, urb_data(urb), urb->length)) {
		urb->actual = urb->length;
		fake_kick(dev);
	} else {
		dev->halted |= 1u << endpoint_row(EP_COMMAND);
		urb->xfer = URB_XFER_STALL;
	}
	return true;
}

/* ---- data and status ---------------------------------------------------- */

/* What has waited long enough goes on. */
static void look_at_clock(struct fake_device *dev)
{
	struct uas *u = dev->model_state;
	uint64_t now = fake_now_ms();

	for (unsigned int tag = 1; tag <= TAGS; tag++) {
		struct task *task = &u->tasks[tag];

		if (task->state != TASK_STATE_WAITING)
			continue;
		if (task->due > now)
			fake_wake_at(dev, task->due);
		else if (!task->command.left)
			set_state(task, TASK_STATE_STATUS);
		else if (has_streams(dev))
			set_state(task, TASK_STATE_DATA);
		else
			set_state(task, TASK_STATE_READY);
	}
}

/* The task in one of two states that this pipe, or stream, is for. */
static struct task *find_task(struct fake_device *dev, const struct urb *urb,
			      enum task_state a, enum task_state b)
{
	struct uas *u = dev->model_state;

	for (unsigned int tag = 1; tag <= TAGS; tag++) {
		struct task *task = &u->tasks[tag];

		if ((task->state == a || task->state == b) &&
		    (!urb->stream || urb->stream == tag))
			return task;
	}
	return NULL;
}

static bool transfer_data(struct fake_device *dev, struct urb *urb)
{
	struct task *task = find_task(dev, urb, TASK_STATE_DATA,
				      TASK_STATE_DATA);
	uint8_t *data = urb_data(urb);

	if (!task || task->command.out == urb_is_in(urb))
		return false;
	if (urb_is_in(urb)) {
		urb->actual = scsi_send(&task->command, data, urb->length);
	} else {
		scsi_take(&task->command, data, urb->length);
		urb->actual = urb->length;
	}
	if (!task->command.left)
		set_state(task, TASK_STATE_STATUS);
	fake_kick(dev);
	return true;
}

static void send_iu(const struct uas *u, const struct task *task,
		    struct urb *urb, uint8_t *iu, uint32_t len)
{
	unsigned int tag = task - u->tasks;

	iu[2] = tag >> 8;
	iu[3] = tag & 0xff;
	urb->actual = urb->length < len ? urb->length : len;
	if (urb->actual < len)
		urb->xfer = URB_XFER_OVERFLOW;
	memcpy(urb_data(urb), iu, urb->actual);
}

static void send_sense(struct uas *u, struct task *task, struct urb *urb)
{
	uint8_t iu[SENSE_HEAD + SCSI_SENSE_SIZE] = { UAS_IU_SENSE };
	bool failed = task->command.status != SCSI_STATUS_GOOD;
	bool overtook = false;

	iu[6] = task->command.status;
	iu[15] = failed ? SCSI_SENSE_SIZE : 0;
	scsi_put_sense(iu + SENSE_HEAD, task->command.sense_key,
		       task->command.asc);
	send_iu(u, task, urb, iu, SENSE_HEAD + iu[15]);
	set_state(task, TASK_STATE_FREE);
	for (unsigned int tag = 1; tag <= TAGS; tag++)
		overtook |= is_command(&u->tasks[tag]) &&
			    u->tasks[tag].serial < task->serial;
	u->n_overtook += overtook;
}

static void send_response(struct uas *u, struct task *task, struct urb *urb)
{
	uint8_t iu[RESPONSE_SIZE] = { UAS_IU_RESPONSE };

	iu[7] = task->response;
	send_iu(u, task, urb, iu, sizeof(iu));
	set_state(task, TASK_STATE_FREE);
}

static void send_ready(struct uas *u, struct task *task, struct urb *urb)
{
	uint8_t iu[READY_SIZE] = { task->command.out ? UAS_IU_WRITE_READY :
						       UAS_IU_READ_READY };

	send_iu(u, task, urb, iu, sizeof(iu));
	set_state(task, TASK_STATE_DATA);
}

static bool transfer_status(struct fake_device *dev, struct urb *urb)
{
	struct uas *u = dev->model_state;
	struct task *task = find_task(dev, urb, TASK_STATE_STATUS,
				      TASK_STATE_RESPONSE);

	/* without streams, the data of one task at a time */
	if (!task && !find_task(dev, urb, TASK_STATE_DATA, TASK_STATE_DATA))
		task = find_task(dev, urb, TASK_STATE_READY, TASK_STATE_READY);
	if (!task)
		return false;
	if (task->state == TASK_STATE_STATUS)
		send_sense(u, task, urb);
	else if (task->state == TASK_STATE_RESPONSE)
		send_response(u, task, urb);
	else
		send_ready(u, task, urb);
	fake_kick(dev);
	return true;
}

static bool uas_transfer(struct fake_device *dev, struct urb *urb)
{
	urb->xfer = URB_XFER_OK;
	urb->actual = 0;
	if (urb->address == EP_COMMAND)
		return transfer_iu(dev, urb);
	look_at_clock(dev);
	if (urb->address == EP_STATUS)
		return transfer_status(dev, urb);
	return transfer_data(dev, urb);
}

/* ---- the device --------------------------------------------------------- */

static int uas_control(struct fake_device *dev, const uint8_t *setup,
		       uint8_t *data, size_t len)
{
	const struct uas *u = dev->model_state;
	const uint32_t counts[] = { u->n_commands, u->most, u->n_overtook };

	if (setup[0] != 0xc0 || setup[1] != REQUEST_COUNTS || len != 12)
		return -EPIPE;
	for (int i = 0; i < 12; i++)
		data[i] = counts[i / 4] >> (i % 4 * 8);
	return 12;
}

/* Reset, or SET_INTERFACE: no task is left, and no transfer runs. */
static void uas_reset(struct fake_device *dev)
{
	abort_tasks(dev->model_state, NULL);
}

static size_t put_bytes(uint8_t *out, size_t at, const uint8_t *from, size_t n)
{
	memcpy(out + at, from, n);
	return at + n;
}

static size_t uas_configs(enum backend_speed speed, uint8_t *out, size_t size)
{
	/* in the order of the pipe IDs, from 1 on */
	static const uint8_t addresses[] = { EP_COMMAND, EP_STATUS, EP_DATA_IN,
					     EP_DATA_OUT };
	const uint8_t head[] = { 9, 2, 0, 0, 1, 1, 0, 0xc0, 1,
				 9, 4, 0, 0, 4, 0x08, 0x06, 0x62, 0 };
	bool super = speed >= BACKEND_SPEED_SUPER;
	bool high = speed == BACKEND_SPEED_HIGH;
	unsigned int max = super ? 1024 : high ? 512 : 64;
	size_t at = put_bytes(out, 0, head, sizeof(head));

	for (uint8_t i = 0; i < sizeof(addresses); i++) {
		const uint8_t ep[] = { 7, 5, addresses[i], 2, max & 0xff,
				       max >> 8, 0 };
		const uint8_t companion[] = { 6, 48, 0, i ? STREAMS_LOG : 0, 0,
					      0 };
		const uint8_t usage[] = { 4, 0x24, i + 1, 0 };

		at = put_bytes(out, at, ep, sizeof(ep));
		if (super)
			at = put_bytes(out, at, companion, sizeof(companion));
		at = put_bytes(out, at, usage, sizeof(usage));
	}
	out[2] = at & 0xff;
	out[3] = at >> 8;
	return at;
}

static int uas_init(struct fake_device *dev, unsigned long size)
{
	struct uas *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	dev->model_state = u;
	u->scsi.queues = true;
	return scsi_disk_init(&u->scsi, &dev->info, size);
}

static void uas_deinit(struct fake_device *dev)
{
	struct uas *u = dev->model_state;

	if (u)
		scsi_disk_deinit(&u->scsi);
	free(u);
}

const struct fake_model fake_model_uas = {
	.name = "uas",
	.speed = BACKEND_SPEED_SUPER,
	.vendor = 0x46f4,
	.product = 0x0003,
	.manufacturer_name = "usbip-rpc",
	.product_name = "Fake UAS Disk",
	.streams = TAGS,
	.configs = uas_configs,
	.init = uas_init,
	.deinit = uas_deinit,
	.control = uas_control,
	.transfer = uas_transfer,
	.reset = uas_reset,
	.set_interface = uas_reset,
};
