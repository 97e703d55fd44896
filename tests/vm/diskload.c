// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * diskload [-d DEPTH] [-n ROUNDS] [-k KIB] DISK - load on a disk, as many
 * commands at once as there are threads, and every byte checked.
 * diskload --reset DISK - let the kernel reset the disk's device.
 *
 * Each thread has pieces of the disk of its own. A round writes one of them
 * and reads another one; each sector says which piece, which writing of it and
 * which sector it is, and so does what fills it. In the end, which SIGTERM
 * brings about, all is read again. It prints "# begun" when the first piece is
 * on the disk; last, the errors and the most that the kernel had at the device
 * at one time. Exit status: 0 all well, 1 wrong data, 3 errors only.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR		512
#define PIECES		8	/* of each thread */
#define DEPTH_MAX	128
#define ERRORS_MAX	5	/* one after the other: the disk is gone */

struct load {
	pthread_t thread;
	unsigned int id;
	uint32_t written[PIECES];	/* times; 0: contents unknown */
	unsigned int random;
	unsigned int errors, errors_now, wrong;
	uint8_t *data;
};

static int fd;
static size_t piece_size = 64 << 10;
static unsigned int depth = 32, rounds = 20;
static unsigned int n_running;
static bool begun;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15;
	return x ^ x >> 29;
}

/* What is in a sector of a piece after so many writings. */
static void make_sector(uint64_t *out, uint32_t piece, uint32_t writing,
			uint32_t sector)
{
	uint64_t x = (uint64_t)piece << 40 ^ (uint64_t)writing << 16 ^ sector;

	out[0] = piece;
	out[1] = writing;
	out[2] = sector;
	for (int i = 3; i < SECTOR / 8; i++)
		out[i] = x = mix(x + i);
}

static bool is_gone(const struct load *l)
{
	return l->errors_now >= ERRORS_MAX;
}

static bool note(struct load *l, ssize_t n, const char *what, uint32_t piece)
{
	if (n == (ssize_t)piece_size) {
		l->errors_now = 0;
		return true;
	}
	if (!l->errors++)
		printf("# %s of piece %u: %s\n", what, piece,
		       n < 0 ? strerror(errno) : "short");
	l->errors_now++;
	return false;
}

static void write_piece(struct load *l, unsigned int i)
{
	uint32_t piece = l->id * PIECES + i, writing = l->written[i] + 1;

	for (size_t s = 0; s < piece_size / SECTOR; s++)
		make_sector((uint64_t *)(l->data + s * SECTOR), piece, writing,
			    s);
	l->written[i] = note(l, pwrite(fd, l->data, piece_size,
				       (off_t)piece * piece_size),
			     "write", piece) ? writing : 0;
}

static void read_piece(struct load *l, unsigned int i)
{
	uint32_t piece = l->id * PIECES + i;
	uint64_t want[SECTOR / 8];

	if (!l->written[i])
		return;
	memset(l->data, 0xee, piece_size);
	if (!note(l, pread(fd, l->data, piece_size, (off_t)piece * piece_size),
		  "read", piece))
		return;
	for (size_t s = 0; s < piece_size / SECTOR; s++) {
		const uint64_t *got = (uint64_t *)(l->data + s * SECTOR);

		make_sector(want, piece, l->written[i], s);
		if (!memcmp(got, want, SECTOR))
			continue;
		if (!l->wrong++)
			printf("# piece %u writing %u sector %zu: is %#lx %#lx %#lx\n",
			       piece, l->written[i], s, (long)got[0],
			       (long)got[1], (long)got[2]);
	}
}

static void *run(void *arg)
{
	struct load *l = arg;

	for (unsigned int n = 0; n < rounds && !stop && !is_gone(l); n++) {
		write_piece(l, rand_r(&l->random) % PIECES);
		if (!__atomic_exchange_n(&begun, true, __ATOMIC_RELAXED)) {
			puts("# begun");
			fflush(stdout);
		}
		read_piece(l, rand_r(&l->random) % PIECES);
	}
	for (unsigned int i = 0; i < PIECES && !is_gone(l); i++)
		read_piece(l, i);
	__atomic_fetch_sub(&n_running, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Reads and writes that the kernel has given to the disk's driver. */
static unsigned int at_device(const char *disk)
{
	unsigned int reads = 0, writes = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/inflight",
		 strrchr(disk, '/') + 1);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%u %u", &reads, &writes) != 2)
		reads = writes = 0;
	if (f)
		fclose(f);
	return reads + writes;
}

static int load(const char *disk)
{
	unsigned int most = 0, errors = 0, wrong = 0, now;
	static struct load loads[DEPTH_MAX];

	n_running = depth;
	for (unsigned int i = 0; i < depth; i++) {
		struct load *l = &loads[i];

		l->id = l->random = i;
		if (posix_memalign((void **)&l->data, 4096, piece_size) ||
		    pthread_create(&l->thread, NULL, run, l))
			errx(2, "out of memory");
	}
	while (__atomic_load_n(&n_running, __ATOMIC_RELAXED)) {
		now = at_device(disk);
		if (now > most)
			most = now;
		usleep(5000);
	}
	for (unsigned int i = 0; i < depth; i++) {
		pthread_join(loads[i].thread, NULL);
		errors += loads[i].errors;
		wrong += loads[i].wrong;
	}
	printf("wrong %u errors %u most %u\n", wrong, errors, most);
	return wrong ? 1 : errors ? 3 : 0;
}

static int reset(const char *disk)
{
	int what = SG_SCSI_RESET_DEVICE;

	fd = open(disk, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, SG_SCSI_RESET, &what))
		err(1, "%s", disk);
	return 0;
}

int main(int argc, char **argv)
{
	int c;

	if (argc == 3 && !strcmp(argv[1], "--reset"))
		return reset(argv[2]);
	while ((c = getopt(argc, argv, "d:n:k:")) != -1) {
		if (c == 'd')
			depth = atoi(optarg);
		else if (c == 'n')
			rounds = atoi(optarg);
		else if (c == 'k')
			piece_size = atoi(optarg) * 1024;
		else
			return 2;
	}
	if (optind + 1 != argc || !depth || depth > DEPTH_MAX || !piece_size)
		errx(2, "usage: diskload [-d DEPTH] [-n ROUNDS] [-k KIB] DISK");
	fd = open(argv[optind], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		err(2, "%s", argv[optind]);
	signal(SIGTERM, on_signal);
	return load(argv[optind]);
}
