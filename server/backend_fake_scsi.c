// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/backend_fake_scsi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend.h"

#define BLOCK 512

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = value >> (24 - 8 * i);
}

static void fail(struct scsi_disk *disk, struct scsi_command *cmd, uint8_t key,
		 uint8_t asc)
{
	cmd->status = SCSI_STATUS_CHECK_CONDITION;
	cmd->sense_key = disk->sense_key = key;
	cmd->asc = disk->asc = asc;
}

/* Answer with the first n bytes of cmd->answer, at most `allocated`. */
static void answer(struct scsi_command *cmd, uint32_t n, uint32_t allocated)
{
	cmd->data = cmd->answer;
	cmd->left = n < allocated ? n : allocated;
}

static void pad_copy(uint8_t *to, size_t n, const char *from)
{
	size_t len = strnlen(from, n);

	memset(to, ' ', n);
	memcpy(to, from, len);
}

static void inquire_page(struct scsi_disk *disk, struct scsi_command *cmd,
			 const uint8_t *cdb)
{
	uint8_t *a = cmd->answer;

	if (cdb[2] != 0x00 && cdb[2] != 0x80) {
		fail(disk, cmd, 5, 0x24);
		return;
	}
	a[1] = cdb[2];
	a[3] = cdb[2] ? 8 : 2;
	a[5] = 0x80;
	if (cdb[2])
		pad_copy(a + 4, 8, disk->info->serial);
	answer(cmd, 4 + a[3], cdb[3] << 8 | cdb[4]);
}

static void inquiry(struct scsi_disk *disk, struct scsi_command *cmd,
		    const uint8_t *cdb)
{
	uint8_t *a = cmd->answer;

	if (cdb[1] & 1) {
		inquire_page(disk, cmd, cdb);
		return;
	}
	a[1] = disk->queues ? 0 : 0x80;		/* removable */
	a[2] = 5;
	a[3] = 2;
	a[4] = 31;
	a[7] = disk->queues ? 2 : 0;		/* CMDQUE */
	pad_copy(a + 8, 8, disk->info->manufacturer);
	pad_copy(a + 16, 16, disk->info->product);
	pad_copy(a + 32, 4, "1.0");
	answer(cmd, 36, cdb[3] << 8 | cdb[4]);
}

void scsi_put_sense(uint8_t out[SCSI_SENSE_SIZE], uint8_t key, uint8_t asc)
{
	memset(out, 0, SCSI_SENSE_SIZE);
	out[0] = 0x70;
	out[2] = key;
	out[7] = SCSI_SENSE_SIZE - 8;
	out[12] = asc;
}

static void request_sense(struct scsi_disk *disk, struct scsi_command *cmd,
			  const uint8_t *cdb)
{
	scsi_put_sense(cmd->answer, disk->sense_key, disk->asc);
	disk->sense_key = disk->asc = 0;
	answer(cmd, SCSI_SENSE_SIZE, cdb[4]);
}

static void read_capacity(const struct scsi_disk *disk,
			  struct scsi_command *cmd)
{
	put_be32(cmd->answer, disk->n_blocks - 1);
	put_be32(cmd->answer + 4, BLOCK);
	answer(cmd, 8, 8);
}

static void read_format_capacities(const struct scsi_disk *disk,
				   struct scsi_command *cmd, const uint8_t *cdb)
{
	cmd->answer[3] = 8;
	put_be32(cmd->answer + 4, disk->n_blocks);
	put_be32(cmd->answer + 8, BLOCK);
	cmd->answer[8] = 2;		/* formatted */
	answer(cmd, 12, cdb[7] << 8 | cdb[8]);
}

/* Logical unit 0 and no other. */
static void report_luns(struct scsi_command *cmd, const uint8_t *cdb)
{
	cmd->answer[3] = 8;
	answer(cmd, 16, get_be32(cdb + 6));
}

/* READ(10) and WRITE(10). */
static void transfer_blocks(struct scsi_disk *disk, struct scsi_command *cmd,
			    const uint8_t *cdb)
{
	uint64_t block = get_be32(cdb + 2), n = cdb[7] << 8 | cdb[8];

	cmd->out = cdb[0] == 0x2a;
	if (block > disk->n_blocks || n > disk->n_blocks - block) {
		fail(disk, cmd, 5, 0x21);	/* out of range */
		return;
	}
	cmd->data = disk->blocks + block * BLOCK;
	cmd->left = n * BLOCK;
}

void scsi_run(struct scsi_disk *disk, struct scsi_command *cmd,
	      const uint8_t cdb[16])
{
	memset(cmd, 0, sizeof(*cmd));
	switch (cdb[0]) {
	case 0x00:			/* TEST UNIT READY */
	case 0x1b:			/* START STOP UNIT */
	case 0x1e:			/* PREVENT ALLOW MEDIUM REMOVAL */
	case 0x2f:			/* VERIFY */
	case 0x35:			/* SYNCHRONIZE CACHE */
		return;
	case 0x03:
		request_sense(disk, cmd, cdb);
		return;
	case 0x12:
		inquiry(disk, cmd, cdb);
		return;
	case 0x1a:			/* MODE SENSE(6): no pages */
		cmd->answer[0] = 3;
		answer(cmd, 4, cdb[4]);
		return;
	case 0x23:
		read_format_capacities(disk, cmd, cdb);
		return;
	case 0x25:
		read_capacity(disk, cmd);
		return;
	case 0x28:
	case 0x2a:
		transfer_blocks(disk, cmd, cdb);
		return;
	case 0xa0:
		report_luns(cmd, cdb);
		return;
	default:
		fail(disk, cmd, 5, 0x20);	/* no such command */
	}
}

static void advance(struct scsi_command *cmd, uint32_t n)
{
	if (cmd->data)
		cmd->data += n;
	cmd->left -= n;
}

uint32_t scsi_send(struct scsi_command *cmd, uint8_t *to, uint32_t n)
{
	if (n > cmd->left)
		n = cmd->left;
	if (n)
		memcpy(to, cmd->data, n);
	advance(cmd, n);
	return n;
}

uint32_t scsi_take(struct scsi_command *cmd, const uint8_t *from, uint32_t n)
{
	if (n > cmd->left)
		n = cmd->left;
	if (n)
		memcpy(cmd->data, from, n);
	advance(cmd, n);
	return n;
}

int scsi_disk_init(struct scsi_disk *disk, const struct backend_info *info,
		   unsigned long size_mib)
{
	disk->info = info;
	disk->n_blocks = (size_mib ? size_mib : 1) * 1024 * 1024 / BLOCK;
	disk->blocks = calloc(disk->n_blocks, BLOCK);
	return disk->blocks ? 0 : -ENOMEM;
}

void scsi_disk_deinit(struct scsi_disk *disk)
{
	free(disk->blocks);
}
