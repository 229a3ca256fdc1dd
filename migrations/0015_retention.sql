CREATE TABLE `retention` (
	`name` text PRIMARY KEY NOT NULL,
	`mark` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `retention_late` (
	`batch` integer PRIMARY KEY NOT NULL,
	`look_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `retention_late_look` ON `retention_late` (`look_at`);--> statement-breakpoint
ALTER TABLE `batches` ADD `pruned_at` integer;--> statement-breakpoint
ALTER TABLE `batches` ADD `archive` text;