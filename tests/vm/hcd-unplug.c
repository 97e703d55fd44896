// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-unplug - the device is unplugged while another thread's write() copies
 * a large answer, with thousands of URBs in front of its own to be given
 * back. usbfs must have memory for it: usbfs_memory_mb.
 */
#include <pthread.h>
#include "tests/vm/hcd-ends.h"

#define ROUNDS	25
#define URBS	3000
#define LARGE	(8 << 20)

static struct usbip_rpc_complete *answer;
static uint8_t *buffer;
static volatile bool go;

/* An URB that wants much, last in the queue; `answer` is made for it. */
static void submit_large(void)
{
	submit(BULK_IN, buffer, LARGE, 0);
	if (!read_one(1000))
		err(1, "read");
	answer->msg.id = in.msg.id;
}

static void submit_small(void)
{
	static uint8_t data[8];

	for (int i = 0; i < URBS; i++) {
		submit(BULK_OUT, data, sizeof(data), 0);
		while (read(fd, in.bytes, sizeof(in)) > 0)
			;
	}
}

static void *write_answer(void *arg)
{
	while (!go)
		;
	return write(fd, answer, answer->msg.len) < 0 ? (void *)(long)errno :
							 NULL;
}

/* How long the copy takes here, in seconds. */
static double measure(void)
{
	double start;

	submit_large();
	start = now();
	if (write(fd, answer, answer->msg.len) != (ssize_t)answer->msg.len)
		err(1, "write");
	start = now() - start;
	free(reap(1000));
	return start;
}

/* Unplug after this part of the copy. All URBs must come back. */
static bool unplug_at(double seconds)
{
	pthread_t thread;
	double start;
	int n = 0;
	void *e;

	submit_small();
	submit_large();
	go = false;
	pthread_create(&thread, NULL, write_answer, NULL);
	usleep(20000);		/* until the thread spins */
	go = true;
	for (start = now(); now() < start + seconds;)
		;
	ioctl(fd, USBIP_RPC_IOC_DETACH);
	pthread_join(thread, &e);
	if (e && (long)e != ENOTCONN)
		printf("# write: %s\n", strerror((long)e));
	while (n <= URBS && reap(1000))
		n++;
	return n == URBS + 1 && (!e || (long)e == ENOTCONN);
}

int main(void)
{
	double seconds = 0;
	int round, well = 0;

	alarm(300);
	answer = calloc(1, sizeof(*answer) + LARGE);
	buffer = malloc(LARGE);
	if (!answer || !buffer)
		err(1, "malloc");
	memset(buffer, 1, LARGE);
	answer->msg.len = sizeof(*answer) + LARGE;
	answer->msg.type = USBIP_RPC_COMPLETE;
	answer->actual = LARGE;
	for (round = 0; round < ROUNDS; round++) {
		fd = open_port();
		plug();
		if (!enumerate())
			break;
		open_node();
		if (!round)
			seconds = measure();
		well += unplug_at(seconds * (0.2 + 0.12 * (round % 5)));
		close(node);
		close(fd);
	}
	ok(well == ROUNDS, "unplugged amid an answer: all URBs are back (%d of %d)",
	   well, ROUNDS);
	return tap_done();
}
