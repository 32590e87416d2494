// Consumes one message from each queue named and prints its headers as JSON: name -> [type, value as text].
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	official "github.com/rabbitmq/amqp091-go"
	former "github.com/streadway/amqp"
)

const patience = 20 * time.Second

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: consumer CLIENT URL QUEUE..."))
	}
	client, url, queues := os.Args[1], os.Args[2], os.Args[3:]
	time.AfterFunc(patience, func() { fail(fmt.Errorf("no message came")) })
	for _, queue := range queues {
		headers, err := one(client, url, queue)
		if err != nil {
			fail(err)
		}
		shown := map[string][2]string{}
		for name, value := range headers {
			shown[name] = [2]string{fmt.Sprintf("%T", value), fmt.Sprint(value)}
		}
		line, _ := json.Marshal(shown)
		fmt.Println(string(line))
	}
}

func one(client, url, queue string) (map[string]interface{}, error) {
	if client == "former" {
		connection, err := former.Dial(url)
		if err != nil {
			return nil, err
		}
		defer connection.Close()
		closed := connection.NotifyClose(make(chan *former.Error, 1))
		channel, err := connection.Channel()
		if err != nil {
			return nil, err
		}
		came, err := channel.Consume(queue, "", true, false, false, false, nil)
		if err != nil {
			return nil, err
		}
		message, ok := <-came
		if !ok {
			return nil, <-closed
		}
		return message.Headers, nil
	}
	connection, err := official.Dial(url)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	closed := connection.NotifyClose(make(chan *official.Error, 1))
	channel, err := connection.Channel()
	if err != nil {
		return nil, err
	}
	came, err := channel.Consume(queue, "", true, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	message, ok := <-came
	if !ok {
		return nil, <-closed
	}
	return message.Headers, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
