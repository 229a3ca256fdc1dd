ALTER TABLE `counters` ADD `spans` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
-- Counted once for what is there; from now on each request counts what it adds and joins.
UPDATE `counters` SET `spans` = (SELECT count(*) FROM `ranges` WHERE `ranges`.`tenant` = `counters`.`tenant`
  AND `ranges`.`stream` = `counters`.`stream` AND `ranges`.`producer` = `counters`.`producer`);
