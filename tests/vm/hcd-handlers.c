// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hcd-handlers - isochronous URBs whose handlers submit them again and give way
 * to others, where the answers to several come in one write(). The driver is
 * drivers/urpc-isoc.
 */
#include "tests/vm/hcd-ends.h"

#define URBS	4
#define PACKETS	8
#define FRAMES	(2048 * 8)	/* modulus of the counter */

/* What the driver has submitted and is not answered. */
static struct {
	uint64_t id;
	int start;
} urbs[URBS];
static int n_urbs;
static int end_frame;	/* of the last one that it has submitted */

/* One of the driver's parameters. */
static int driver_says(const char *name)
{
	char path[80];
	int n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/urpc_isoc/parameters/%s", name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%d", &n) != 1)
		err(1, "%s", path);
	fclose(f);
	return n;
}

/* Serve the device until the driver's next URB. */
static bool read_isoc(void)
{
	while (read_one(5000)) {
		if (in.msg.type == USBIP_RPC_SUBMIT &&
		    in.submit.transfer == USBIP_RPC_ISOC)
			return true;
		serve();
	}
	return false;
}

/* The driver submits `n` URBs: each begins where the one before ends. */
static bool submits(int n)
{
	bool right = true;

	for (; n; n--, n_urbs++) {
		if (!read_isoc())
			return false;
		urbs[n_urbs].id = in.msg.id;
		urbs[n_urbs].start = in.submit.start_frame;
		if (end_frame >= 0 && urbs[n_urbs].start != end_frame) {
			printf("# it begins %d frames late\n",
			       (urbs[n_urbs].start - end_frame) & (FRAMES - 1));
			right = false;
		}
		end_frame = (urbs[n_urbs].start + PACKETS) & (FRAMES - 1);
	}
	return right;
}

/* Answer the first `n` in one write(), the last of them with `status`. */
static bool answer(int n, int status)
{
	struct usbip_rpc_complete c[URBS] = {};

	for (int i = 0; i < n; i++) {
		c[i].msg.type = USBIP_RPC_COMPLETE;
		c[i].msg.len = sizeof(*c);
		c[i].msg.id = urbs[i].id;
	}
	c[n - 1].status = status;
	n_urbs -= n;
	memmove(urbs, urbs + n, n_urbs * sizeof(*urbs));
	return write(fd, c, n * sizeof(*c)) == n * (ssize_t)sizeof(*c);
}

int main(void)
{
	alarm(60);
	fd = open_port();
	plug();
	end_frame = -1;
	ok(submits(URBS), "a driver submits its URBs");
	/* the first handler changes that of the second URB, which has ended */
	ok(answer(2, -EPROTO) && submits(1), "one fails behind one that does not");
	for (int i = 0; i < 100 && !driver_says("later"); i++)
		usleep(20000);	/* it runs when it likes */
	ok(driver_says("first") == 1 && driver_says("later") == 1,
	   "its handler has changed meanwhile");
	ok(driver_says("strange") == 0, "and gets what is its URB's");
	usleep(50000);	/* the schedule runs out, six times over */
	ok(answer(3, 0) && submits(3),
	   "all are answered, and what their handlers submit keeps its place");
	close(fd);
	ok(true, "the file closes");
	return tap_done();
}
