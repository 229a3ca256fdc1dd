-- What waits is found by lane: a tenant's stream with the same ids. What waited in the outbox stays there.
DROP INDEX `shipments_open`;--> statement-breakpoint
ALTER TABLE `shipments` ADD `bytes` integer;--> statement-breakpoint
CREATE INDEX `shipments_open` ON `shipments` (`tenant`,`stream`,`context`,`id`) WHERE state = 'open';--> statement-breakpoint
CREATE TABLE `__new_outbox` (
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`batch` integer NOT NULL,
	`context` text NOT NULL,
	`entries` integer NOT NULL,
	`events` integer NOT NULL,
	`bytes` integer NOT NULL,
	PRIMARY KEY(`tenant`, `stream`, `context`, `batch`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `__new_outbox`(`tenant`, `stream`, `batch`, `context`, `entries`, `events`, `bytes`) SELECT `tenant`, `stream`, `batch`, `context`, `entries`, `events`, `bytes` FROM `outbox`;--> statement-breakpoint
DROP TABLE `outbox`;--> statement-breakpoint
ALTER TABLE `__new_outbox` RENAME TO `outbox`;--> statement-breakpoint
-- A hold is a memory of some minutes that did not say what it holds: the next call finds out again.
DROP TABLE `holds`;--> statement-breakpoint
CREATE TABLE `holds` (
	`scope` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`vendor` text NOT NULL,
	`destination` text NOT NULL,
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`context` text NOT NULL,
	`verdict` text NOT NULL,
	`status` integer,
	`reason` text NOT NULL,
	`since` integer NOT NULL,
	`until` integer NOT NULL,
	`attempts` integer NOT NULL,
	`probing_until` integer DEFAULT 0 NOT NULL,
	`tell_at` integer NOT NULL,
	`told` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `holds_tell` ON `holds` (`tell_at`);
