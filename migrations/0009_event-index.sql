CREATE TABLE `index_blocks` (
	`tenant` text NOT NULL,
	`level` integer NOT NULL,
	`part` integer NOT NULL,
	`version` integer NOT NULL,
	`entries` text NOT NULL,
	PRIMARY KEY(`tenant`, `level`, `part`, `version`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `index_marks` (
	`tenant` text NOT NULL,
	`stream` text NOT NULL,
	`seq` integer NOT NULL,
	PRIMARY KEY(`tenant`, `stream`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `index_progress` (
	`tenant` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`nonce` text NOT NULL,
	`splits` text NOT NULL
) WITHOUT ROWID;
