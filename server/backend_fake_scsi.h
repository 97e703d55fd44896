/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend_fake_scsi - a disk in memory that understands SCSI commands, for the
 * fake devices whose transports bring them: bulk-only (backend_fake_disk.c)
 * and UAS (backend_fake_uas.c). As much of SCSI as Linux's sd asks for.
 */
#ifndef USBIP_SERVER_BACKEND_FAKE_SCSI_H
#define USBIP_SERVER_BACKEND_FAKE_SCSI_H

#include <stdbool.h>
#include <stdint.h>

struct backend_info;

enum scsi_status {
	SCSI_STATUS_GOOD = 0x00,
	SCSI_STATUS_CHECK_CONDITION = 0x02,
};

#define SCSI_SENSE_SIZE 18

struct scsi_disk {
	const struct backend_info *info;	/* says its names */
	bool queues;			/* several commands; is not removable */
	uint8_t *blocks;
	uint64_t n_blocks;
	uint8_t sense_key, asc;		/* of the last failure: REQUEST SENSE */
};

/* One command, from scsi_run() until the transport has sent its status. */
struct scsi_command {
	uint8_t *data;		/* what to send, or where it goes */
	uint32_t left;		/* bytes of it */
	bool out;		/* the host sends them */
	enum scsi_status status;
	uint8_t sense_key, asc;
	uint8_t answer[256];	/* that data may point to */
};

/* info: lives as long as the disk. -ENOMEM. */
int scsi_disk_init(struct scsi_disk *disk, const struct backend_info *info,
		   unsigned long size_mib);
void scsi_disk_deinit(struct scsi_disk *disk);

/* Begin with a command: all of cmd is set. */
void scsi_run(struct scsi_disk *disk, struct scsi_command *cmd,
	      const uint8_t cdb[16]);
/* So many bytes of the data stage, at most `left`, go to or come from memory;
 * returns how many. */
uint32_t scsi_send(struct scsi_command *cmd, uint8_t *to, uint32_t n);
uint32_t scsi_take(struct scsi_command *cmd, const uint8_t *from, uint32_t n);
/* Fixed format sense data (SPC-4, 4.5.3). */
void scsi_put_sense(uint8_t out[SCSI_SENSE_SIZE], uint8_t key, uint8_t asc);

#endif
