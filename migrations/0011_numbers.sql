DROP INDEX `quarantine_tenant`;--> statement-breakpoint
ALTER TABLE `quarantine` ADD `number` integer;--> statement-breakpoint
-- What is there keeps the id that it was shown by.
UPDATE `quarantine` SET `number` = `id`;--> statement-breakpoint
CREATE UNIQUE INDEX `quarantine_number` ON `quarantine` (`tenant`,`number`);--> statement-breakpoint
CREATE INDEX `quarantine_tenant` ON `quarantine` (`tenant`,`state`,`number`);--> statement-breakpoint
-- While code from before this runs beside the new, or again, its entries are numbered too.
CREATE TRIGGER `quarantine_numbered` AFTER INSERT ON `quarantine` WHEN NEW.`number` IS NULL
BEGIN
  UPDATE `quarantine` SET `number` = (SELECT coalesce(max(`number`), 0) + 1 FROM `quarantine` WHERE `tenant` = NEW.`tenant`)
  WHERE `id` = NEW.`id`;
END;
